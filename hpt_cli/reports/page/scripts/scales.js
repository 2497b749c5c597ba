// Numbers as text, and scales: from values to places on an axis, 0 to 1, with ticks.

// As format_number in hpt_cli/formatting.py: a test compares them.
function formatNumber(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? String(value) : formatDigits(value, digits);
}

function formatDigits(value, digits = 4) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const power = Number(exponent), strip = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < digits) return strip(value.toFixed(digits - 1 - power));
  return `${strip(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

// Beside an axis: in few characters, whatever its size.
function formatTick(value) {
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : formatDigits(value);
}

function formatClock(seconds) {
  const whole = Math.round(seconds), pad = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${Number(seconds.toFixed(2))} s`;
  if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)}:${pad(whole % 60)} min` : `${whole / 60} min`;
  if (whole < 172800) return whole % 3600 ? `${Math.floor(whole / 3600)}:${pad(Math.floor((whole % 3600) / 60))} h` : `${whole / 3600} h`;
  return `${Number((seconds / 86400).toFixed(1))} d`;
}

const BENDS = {
  Linear: [(x) => x, (y) => y],
  Logarithmic: [Math.log10, (y) => 10 ** y],
  ReverseLogarithmic: [(x) => -Math.log10(1 - x), (y) => 1 - 10 ** -y],
};

function makeScale(low, high, kind = "Linear", format = formatTick) {
  const [bend, unbend] = BENDS[kind];
  let bottom = bend(low), top = bend(high);
  if (!(top > bottom)) { bottom -= 0.5; top += 0.5; }
  return {
    place: (value) => (bend(value) - bottom) / (top - bottom),
    read: (unit) => format(Number(unbend(bottom + unit * (top - bottom)).toPrecision(3))),
    ticks: (count) => makeTicks(bottom, top, kind, unbend, count)
      .map((y) => [(y - bottom) / (top - bottom), format(Number(unbend(y).toPrecision(12)))]),
  };
}

// Epochs: whole numbers, unless there are none between the ends.
function makeCounts(first, last) {
  const scale = makeScale(first, last);
  return {
    ...scale,
    ticks: (count) => {
      const ticks = scale.ticks(count), whole = ticks.filter(([, text]) => Number.isInteger(Number(text)));
      return whole.length ? whole : ticks;
    },
  };
}

function makeTicks(bottom, top, kind, unbend, count) {
  const decades = top - bottom;
  if (kind !== "Linear" && decades >= 1) {
    const every = Math.max(1, Math.ceil(decades / count));
    const ticks = [];
    for (let power = Math.ceil(bottom - 1e-9); power <= top + 1e-9; power += 1) {
      if (power % every === 0) ticks.push(power);
    }
    if (ticks.length > 1) return ticks;
  }
  if (kind !== "Linear") {
    const [bend] = BENDS[kind];
    return makeTicks(unbend(bottom), unbend(top), "Linear", null, count).map(bend)
      .filter((y) => Number.isFinite(y));
  }
  const rough = (top - bottom) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  const ticks = [], first = Math.ceil(bottom / step - 1e-9);
  // Counted: among the largest numbers, one more is the same number.
  for (let k = 0; k <= 2 * count + 2 && (first + k) * step <= top + step * 1e-9; k += 1) ticks.push((first + k) * step);
  return ticks;
}

const CLOCK_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

function makeClock(last) {
  const scale = makeScale(0, last, "Linear", formatClock);
  return {
    ...scale,
    ticks: (count) => {
      const step = CLOCK_STEPS.find((each) => each >= last / count);
      if (last < 2 || !step) return scale.ticks(count);
      return Array.from({ length: Math.floor(last / step) + 1 }, (_, n) => [(n * step) / last, formatClock(n * step)]);
    },
  };
}

function makeCategories(values) {
  const places = new Map(values.map((value, index) => [value, (index + 0.5) / values.length]));
  return {
    place: (value) => places.get(String(value)),
    read: (unit) => values[Math.min(values.length - 1, Math.floor(unit * values.length))],
    ticks: () => values.map((value) => [places.get(value), value]),
  };
}

function scaleOf(range) {
  if (range.values) return makeCategories(range.values);
  return makeScale(range.low, range.high, range.scaling);
}

// The axis of the objective leaves out what is far worse than most, so that the good can be told
// apart; what is beyond is drawn at its edge. `share` says how many count as most.
function scaleOfObjective(values, maximize, share = 0.75, log = false) {
  const finite = values.filter((value) => value !== null && Number.isFinite(value));
  if (!finite.length) return { ...makeScale(0, 1), beyond: 0, holds: () => false };
  const losses = finite.map((value) => (maximize ? -value : value)).sort((a, b) => a - b);
  const best = losses[0], usual = losses[Math.floor(share * (losses.length - 1))];
  const limit = share === 1 || usual === best ? Infinity : usual + 2 * (usual - best);
  const kept = losses.filter((loss) => loss <= limit).map((loss) => (maximize ? -loss : loss));
  let low = kept.reduce((a, b) => Math.min(a, b)), high = kept.reduce((a, b) => Math.max(a, b));
  const asLog = log && low > 0;
  if (!asLog) { const room = 0.05 * (high - low || Math.abs(high) || 1); low -= room; high += room; }
  const scale = makeScale(low, high, asLog ? "Logarithmic" : "Linear");
  return {
    ...scale,
    holds: (value) => value !== null && (!asLog || value > 0) && Math.abs(scale.place(value) - 0.5) < 0.53,
    beyond: finite.length - kept.length,
    place: (value) => Math.min(1, Math.max(0, asLog && value <= 0 ? 0 : scale.place(value))),
  };
}
