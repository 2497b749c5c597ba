// The charts of a tuning job, and the one that compares tuning jobs.

class Progress extends Chart {
  constructor(view, box, label) {
    super(view, box, label);
    const whole = box.closest("figure").querySelector(".whole");
    whole.addEventListener("change", () => {
      view.whole = whole.checked;
      for (const chart of view.charts) chart.render();
    });
  }

  note(beyond) {
    const note = this.box.closest("figure").querySelector(".beyond");
    note.textContent = beyond ? ` ${beyond} beyond the axis ${beyond === 1 ? "is" : "are"} drawn at its edge.` : "";
  }

  draw() {
    const { job } = this.view;
    const ended = job.jobs.map((each, place) => [place, each.ended, each.final])
      .filter(([, at, value]) => at !== null && value !== null);
    const xs = makeClock(job.seconds || 1);
    const ys = this.view.scaleFinals();
    this.note(ys.beyond);
    this.area.top = 26;
    this.axes(xs, ys, "tuning time", job.metric);
    for (const [place, at, value] of ended) this.dot(place, this.x(xs.place(at)), this.y(ys.place(value)));
    svg("path", { class: "sofar", d: this.steps(bestSoFar(job), xs, ys, this.area.right) }, this.root);
  }
}

// [time, value] of every new best.
function bestSoFar(job) {
  const ended = job.jobs.filter((each) => each.ended !== null && each.final !== null)
    .sort((a, b) => a.ended - b.ended);
  const steps = [];
  for (const each of ended) {
    const last = steps.length ? steps[steps.length - 1][1] : null;
    if (last === null || (job.maximize ? each.final > last : each.final < last)) steps.push([each.ended, each.final]);
  }
  return steps;
}

class Curves extends Chart {
  constructor(view, box, label) {
    super(view, box, label);
    const figure = box.closest("figure");
    for (const control of figure.querySelectorAll(".metric, .log")) {
      control.addEventListener("change", () => this.render());
    }
  }

  kind() { return "lines"; }

  draw() {
    const { job } = this.view;
    const figure = this.box.closest("figure");
    const metric = Number(figure.querySelector(".metric").value);
    const log = figure.querySelector(".log").checked;
    const curves = job.curves[metric].map(([steps, values]) => values.map((value, n) => [steps ? steps[n] : n + 1, value]));
    let first = Infinity, last = -Infinity;
    const all = [];
    for (const [step, value] of curves.flat()) {
      first = Math.min(first, step); last = Math.max(last, step);
      if (value !== null) all.push(value);
    }
    const xs = makeCounts(Number.isFinite(first) ? first : 0, Number.isFinite(last) ? last : 1);
    const ys = scaleOfObjective(all, metric === 0 ? job.maximize : curvesRise(curves), this.view.whole ? 1 : 0.9, log);
    this.area.top = 26;
    this.axes(xs, ys, "epoch", job.metrics[metric]);
    curves.forEach((curve, place) => {
      let pen = "M", path = "";
      for (const [step, value] of curve) {
        if (!ys.holds(value)) { pen = "M"; continue; }
        const x = this.x(xs.place(step)), y = this.y(ys.place(value));
        path += `${pen}${x.toFixed(1)},${y.toFixed(1)}`;
        pen = "L";
        this.hits.push([place, x, y]);
      }
      this.shapes[place] = curve.length === 1 && path ? `${path}h.01` : path;
    });
  }
}

function curvesRise(curves) {
  let rise = 0;
  for (const curve of curves) {
    const values = curve.map((each) => each[1]).filter((value) => value !== null);
    if (values.length > 1) rise += Math.sign(values[values.length - 1] - values[0]);
  }
  return rise > 0;
}

class Single extends Chart {
  constructor(view, box, label, column) {
    box.dataset.column = column;
    super(view, box, label);
  }

  size(width) { return [width, 200]; }

  draw() {
    const { job } = this.view;
    const column = Number(this.box.dataset.column);
    const range = job.ranges[column];
    const xs = scaleOf(range), ys = this.view.scaleFinals();
    this.axes(xs, ys, range.name, "");
    const spread = range.values ? Math.min(0.35 / range.values.length, 0.08) : 0;
    job.jobs.forEach((each, place) => {
      const value = each.settings[column];
      if (value === null || each.final === null) return;
      const aside = spread * Math.sin(place * 2.4); // so that dots of one category lie apart
      this.dot(place, this.x(xs.place(value) + aside), this.y(ys.place(each.final)));
    });
  }
}

class Timeline extends Chart {
  kind() { return "bars"; }

  size(width) {
    const slots = 1 + Math.max(0, ...this.view.job.bars.map((bar) => bar[1]));
    return [width, 52 + 20 * slots];
  }

  draw() {
    const { job } = this.view;
    const last = Math.max(job.seconds || 1, ...job.bars.map((bar) => bar[3]));
    const xs = makeClock(last);
    const slots = 1 + Math.max(0, ...job.bars.map((bar) => bar[1]));
    const clamp = (at) => Math.min(this.area.right, this.x(xs.place(at)));
    this.axes(xs, { ticks: () => [] }, "tuning time", "");
    let ghosts = "";
    for (const [place, slot, start, end, until] of job.bars) {
      const y = this.area.top + 20 * slot + 10;
      const from = clamp(start), to = Math.max(from + 1, clamp(end) - 0.7);
      this.shapes[place] += `M${from.toFixed(1)},${y}H${to.toFixed(1)}`;
      for (let x = from; x <= to; x += 12) this.hits.push([place, x, y]);
      this.hits.push([place, to, y]);
      if (until !== null && until > end) ghosts += `M${to.toFixed(1)},${y + 8}H${clamp(until).toFixed(1)}`;
    }
    for (let slot = 0; slot < slots; slot += 1) {
      svg("text", { x: this.area.left - 6, y: this.area.top + 20 * slot + 14, "text-anchor": "end" }, this.root, `slot ${slot + 1}`);
    }
    if (ghosts) svg("path", { class: "bars ghost", d: ghosts }, this.root);
  }
}

// The best value so far of all tuning jobs.

class Race extends Plot {
  constructor(box) {
    super();
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Best so far over tuning time: ${tuningJobs.map((each) => each.name).join(", ")}`);
    this.follow(box, () => this.draw(box));
  }

  draw(box) {
    if (!this.begin(box, (width) => [width, Math.round(Math.min(340, Math.max(240, width * 0.55)))])) return;
    this.area.top = 26;
    const { maximize, metric } = tuningJobs[0];
    const lines = tuningJobs.map(bestSoFar);
    const xs = makeClock(Math.max(1e-9, ...tuningJobs.map((each) => each.seconds)));
    const ys = scaleOfObjective(lines.flat().map((each) => each[1]), maximize);
    this.axes(xs, ys, "tuning time", metric);
    lines.forEach((points, n) => {
      if (!points.length) return;
      const end = this.x(xs.place(tuningJobs[n].seconds));
      const dashed = n < 6 ? {} : { "stroke-dasharray": "6 3" };
      svg("path", { class: `lines race${n % 6}`, d: this.steps(points, xs, ys, end), ...dashed }, this.root);
      // Names where the lines are not: they start bad and get better.
      const row = maximize ? this.area.bottom - 8 - 16 * (lines.length - 1 - n) : this.area.top + 12 + 16 * n;
      svg("text", { class: `race${n % 6}`, x: this.area.right, y: row, "text-anchor": "end" }, this.root, tuningJobs[n].name);
    });
  }
}
