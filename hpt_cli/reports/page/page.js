"use strict";
// Draws the charts of a report and makes its table sort and filter. All text goes in as text.
(() => {
  const tuningJobs = JSON.parse(document.getElementById("data").textContent);
  for (const each of tuningJobs) {
    each.jobs = each.jobs.map((values) => {
      const job = Object.fromEntries(each.fields.map((field, n) => [field, values[n]]));
      job.name = `${each.name}-${String(job.number).padStart(4, "0")}`;
      return job;
    });
  }
  const tip = document.getElementById("tip");
  const said = document.getElementById("said"); // what a screen reader says
  const MANY = 120; // from so many training jobs on, marks are drawn lighter
  const PATHS = 80; // a group is drawn in so many paths: they shine through each other
  const ORDER = ["Failed", "Stopped", "Stopping", "Completed", "InProgress", "best"];

  // Elements

  function svg(name, attributes = {}, parent = null, text = null) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== null) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  }

  function html(name, className = "", text = null, parent = null) {
    const node = document.createElement(name);
    if (className) node.className = className;
    if (text !== null) node.textContent = text;
    if (parent) parent.append(node);
    return node;
  }

  // Numbers

  function formatNumber(value, digits = 4) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number") return String(value);
    if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
    const size = Math.abs(value);
    if (size >= 1e6 || (size < 1e-4 && size > 0)) {
      return value.toExponential(digits - 1).replace(/\.?0*e/, "e");
    }
    return String(Number(value.toPrecision(digits)));
  }

  function formatSeconds(seconds) {
    if (seconds === null) return "–";
    if (seconds < 10) return `${Number(seconds.toFixed(1))} s`;
    const whole = Math.round(seconds);
    if (whole < 60) return `${whole} s`;
    const pad = (number) => String(number).padStart(2, "0");
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
    if (whole < 86400) return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
    return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
  }

  function formatClock(seconds) {
    const whole = Math.round(seconds), pad = (number) => String(number).padStart(2, "0");
    if (seconds < 60) return `${Number(seconds.toFixed(2))} s`;
    if (whole < 3600) return whole % 60 ? `${Math.floor(whole / 60)}:${pad(whole % 60)} min` : `${whole / 60} min`;
    if (whole < 172800) return whole % 3600 ? `${Math.floor(whole / 3600)}:${pad(Math.floor((whole % 3600) / 60))} h` : `${whole / 3600} h`;
    return `${Number((seconds / 86400).toFixed(1))} d`;
  }

  // Scales: a value to a place in [0, 1], with ticks

  const BENDS = {
    Linear: [(x) => x, (y) => y],
    Logarithmic: [Math.log10, (y) => 10 ** y],
    ReverseLogarithmic: [(x) => -Math.log10(1 - x), (y) => 1 - 10 ** -y],
  };

  function makeScale(low, high, kind = "Linear", format = formatNumber) {
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

  // A view is what is selected and lit in one tuning job; its charts and its table follow it.

  class View {
    constructor(job, section) {
      this.job = job;
      this.section = section;
      this.shown = job.jobs.map(() => true);
      this.filters = {}; // by who set them: (place) => whether it is shown
      this.charts = [];
      this.lit = -1;
      this.pinned = false;
      this.whole = false; // whether axes hold everything
      section.classList.toggle("many", job.jobs.length > MANY);
    }

    scaleFinals() {
      return scaleOfObjective(this.job.jobs.map((each) => each.final), this.job.maximize, this.whole ? 1 : 0.75);
    }

    setFilter(owner, filter) {
      if (filter) this.filters[owner] = filter;
      else delete this.filters[owner];
      const filters = Object.values(this.filters);
      this.shown = this.job.jobs.map((_, place) => filters.every((each) => each(place)));
      for (const chart of this.charts) chart.update();
      if (this.table) this.table.update();
    }

    light(place, x = 0, y = 0) {
      if (place !== this.lit) {
        this.lit = place;
        for (const chart of this.charts) chart.light(place);
        if (this.table) this.table.light(place);
      }
      if (place < 0) tip.hidden = true;
      else showTip(this.job, place, x, y);
    }
  }

  function showTip(tuningJob, place, x, y) {
    const job = tuningJob.jobs[place];
    tip.replaceChildren();
    html("b", "", `${job.name}${place === tuningJob.best ? " ★" : ""}`, tip);
    html("div", "muted", `${job.status}${job.why ? ` (${job.why})` : ""}, ${job.epochs} epochs, ${formatSeconds(job.elapsed)}`, tip);
    const table = html("table", "", null, tip);
    const rows = [[tuningJob.metric, job.final], ...tuningJob.ranges.map((each, n) => [each.name, job.settings[n]])];
    for (const [name, value] of rows) {
      if (value === null && name !== tuningJob.metric) continue;
      const row = html("tr", "", null, table);
      html("td", "muted", name, row);
      html("td", "", formatNumber(value), row);
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    const left = x + 16 + box.width > innerWidth ? x - 16 - box.width : x + 16;
    const top = Math.min(y + 14, innerHeight - box.height - 8);
    tip.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
  }

  // A chart draws every job's shape, a piece of a path, into the layer of its group.

  class Chart {
    constructor(view, box, label) {
      this.view = view;
      this.box = box;
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-roledescription", "chart");
      box.setAttribute("aria-label", label);
      view.charts.push(this);
      box.addEventListener("pointermove", (event) => this.onMove(event));
      box.addEventListener("pointerleave", () => { if (!view.pinned) view.light(-1); });
      box.addEventListener("click", (event) => this.onClick(event));
      box.addEventListener("keydown", (event) => this.onKey(event));
      box.addEventListener("blur", () => { view.pinned = false; view.light(-1); });
      this.width = 0;
      new ResizeObserver(() => {
        if (Math.abs(box.clientWidth - this.width) > 4) this.render();
      }).observe(box);
      this.render();
    }

    render() {
      this.width = this.box.clientWidth;
      if (!this.width) return;
      this.hits = []; // [place, x, y] of everything that can be pointed at
      this.shapes = this.view.job.jobs.map(() => "");
      const [width, height] = this.size(this.width);
      this.box.replaceChildren();
      this.root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, this.box);
      if (width > this.width) this.root.style.minWidth = `${width}px`;
      this.area = { left: 52, right: width - 14, top: 10, bottom: height - 38, width, height };
      this.draw();
      this.layers = {};
      for (const group of [...this.groups(), "out"]) {
        this.layers[group] = svg("g", { class: `${this.kind()} mark ${group}` }, this.root);
      }
      this.overlay = svg("path", { class: `${this.kind()} lit` }, this.root);
      this.front();
      this.update();
    }

    size(width) { return [width, Math.round(Math.min(340, Math.max(230, width * 0.55)))]; }
    groups() { return ORDER; }
    group(place) { return place === this.view.job.best ? "best" : this.view.job.jobs[place].status; }
    kind() { return "dots"; }
    front() {}

    update() {
      if (!this.layers) return;
      const parts = {};
      this.shapes.forEach((shape, place) => {
        const group = this.view.shown[place] ? this.group(place) : "out";
        (parts[group] ||= []).push(shape);
      });
      for (const group in this.layers) {
        this.layers[group].replaceChildren();
        const shapes = parts[group] || [];
        const size = Math.max(1, Math.ceil(shapes.length / PATHS));
        for (let at = 0; at < shapes.length; at += size) {
          svg("path", { d: shapes.slice(at, at + size).join("") }, this.layers[group]);
        }
      }
    }

    light(place) {
      if (this.overlay) this.overlay.setAttribute("d", place < 0 ? "" : this.shapes[place]);
    }

    x(unit) { return this.area.left + unit * (this.area.right - this.area.left); }
    y(unit) { return this.area.bottom - unit * (this.area.bottom - this.area.top); }

    dot(place, x, y) {
      this.shapes[place] += `M${x.toFixed(1)},${y.toFixed(1)}h0`;
      this.hits.push([place, x, y]);
    }

    axes(xs, ys, xLabel, yLabel) {
      const { left, right, top, bottom } = this.area;
      const wide = right - left;
      for (const [unit, text] of ys.ticks(5)) {
        const y = this.y(unit);
        svg("path", { class: "gridline", d: `M${left},${y}H${right}` }, this.root);
        svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, this.root, cut(text, 8));
      }
      const ticks = xs.ticks(Math.max(2, Math.floor(wide / 90)));
      const room = Math.max(3, Math.floor(wide / Math.max(1, ticks.length) / 6.5));
      for (const [unit, text] of ticks) {
        const x = this.x(unit);
        svg("path", { class: "axis", d: `M${x},${bottom}v4` }, this.root);
        svg("text", { x, y: bottom + 16, "text-anchor": "middle" }, this.root, cut(text, room));
      }
      svg("path", { class: "axis", d: `M${left},${bottom}H${right}` }, this.root);
      svg("text", { x: (left + right) / 2, y: bottom + 33, "text-anchor": "middle" }, this.root, cut(xLabel, wide / 7));
      if (yLabel) svg("text", { x: left, y: 11 }, this.root, cut(yLabel, wide / 7));
    }

    pointer(event) {
      const box = this.root.getBoundingClientRect();
      const scale = this.area.width / box.width;
      return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    }

    pick(x, y) {
      let found = -1, nearest = 26 ** 2;
      for (const [place, hitX, hitY] of this.hits) {
        if (!this.view.shown[place]) continue;
        const distance = (hitX - x) ** 2 + (hitY - y) ** 2;
        if (distance < nearest) { nearest = distance; found = place; }
      }
      return found;
    }

    onMove(event) {
      if (!this.root || this.view.pinned) return;
      this.view.light(this.pick(...this.pointer(event)), event.clientX, event.clientY);
    }

    onClick(event) {
      const place = this.pick(...this.pointer(event));
      this.view.pinned = place >= 0;
      this.view.light(place, event.clientX, event.clientY);
    }

    // Arrow keys step through the jobs, Escape lets go.
    onKey(event) {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (event.key === "Escape") { this.view.pinned = false; this.view.light(-1); }
      if (!step) return;
      event.preventDefault();
      const drawn = this.shapes.map((_, place) => place).filter((place) => this.shapes[place] && this.view.shown[place]);
      if (!drawn.length) return;
      const at = drawn.indexOf(this.view.lit);
      const place = at < 0 ? drawn[step > 0 ? 0 : drawn.length - 1] : drawn[(at + step + drawn.length) % drawn.length];
      const hit = this.hits.find((each) => each[0] === place) || [place, this.area.left, this.area.top];
      const box = this.root.getBoundingClientRect();
      const scale = box.width / this.area.width;
      this.view.light(place, box.left + hit[1] * scale, box.top + hit[2] * scale);
      said.textContent = tip.innerText.replace(/\s*\n\s*/g, ", ").replace(/\t/g, " ");
    }
  }

  function cut(text, length) {
    return text.length > length ? `${text.slice(0, Math.max(1, Math.floor(length) - 1))}…` : text;
  }

  // A name among others in so many characters: what it has in common with them goes first.
  function cutName(name, others, length) {
    if (name.length <= length) return name;
    const shared = Math.max(0, ...others.filter((each) => each !== name).map((each) => {
      let n = 0;
      while (n < name.length && name[n] === each[n]) n += 1;
      return n;
    }));
    const word = Math.max(...[".", "/", ":"].map((each) => name.lastIndexOf(each, shared - 1))) + 1;
    const start = shared - word < length / 2 ? word : Math.max(0, shared - 2);
    return start > 2 ? cut(`…${name.slice(start)}`, length) : cut(name, length);
  }

  function addLegend(chart) {
    const used = new Set(chart.view.job.jobs.map((_, place) => chart.group(place)));
    const legend = html("div", "legend");
    for (const group of ORDER.filter((each) => used.has(each)).reverse()) {
      const item = html("span", "", null, legend);
      html("i", group, null, item);
      item.append(group === "best" ? "best" : group);
    }
    chart.box.after(legend);
  }

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
      note.textContent = beyond ? ` (worse than the axes show, and at their edge: ${beyond})` : "";
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
      const steps = bestSoFar(job);
      let path = "";
      steps.forEach(([at, value], n) => {
        const x = this.x(xs.place(at)).toFixed(1), y = this.y(ys.place(value)).toFixed(1);
        path += n ? `H${x}V${y}` : `M${x},${y}`;
      });
      if (path) svg("path", { class: "sofar", d: `${path}H${this.area.right}` }, this.root);
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
      const xs = makeScale(Number.isFinite(first) ? first : 0, Number.isFinite(last) ? last : 1);
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

  class Parallel extends Chart {
    size(width) {
      const count = this.view.job.ranges.length + 1;
      return [Math.max(width, count * 74), 300];
    }

    kind() { return "lines"; }
    groups() { return ["q0", "q1", "q2", "q3", "q4", "q5", "q6", "best"]; }

    group(place) {
      if (place === this.view.job.best) return "best";
      return `q${this.shades[place]}`;
    }

    draw() {
      const { job } = this.view;
      const finals = job.jobs.map((each) => each.final);
      const objective = this.view.scaleFinals();
      this.columns = [
        ...job.ranges.map((range, n) => ({ name: range.name, scale: scaleOf(range), value: (each) => each.settings[n] })),
        { name: job.metric, scale: objective, value: (each) => each.final },
      ];
      const ranked = finals.map((value, place) => [value, place]).filter((each) => each[0] !== null)
        .sort((a, b) => (job.maximize ? a[0] - b[0] : b[0] - a[0]));
      this.shades = finals.map(() => 0);
      ranked.forEach(([, place], rank) => { this.shades[place] = Math.floor((6.999 * rank) / Math.max(1, ranked.length - 1 || 1)) % 7; });
      this.area.top = 30; this.area.bottom = this.area.height - 18; this.area.left = 58; this.area.right = this.area.width - 58;
      const gap = (this.area.right - this.area.left) / Math.max(1, this.columns.length - 1);
      this.columns.forEach((column, n) => {
        column.x = this.columns.length === 1 ? this.area.left : this.area.left + n * gap;
        const { x } = column;
        svg("path", { class: "axis", d: `M${x},${this.area.top}V${this.area.bottom}` }, this.root);
        const anchor = n === 0 ? "start" : n === this.columns.length - 1 ? "end" : "middle";
        const shift = anchor === "start" ? -this.area.left : anchor === "end" ? this.area.width - x : 0;
        const names = this.columns.map((each) => each.name);
        const label = svg("text", { class: "name", x: x + shift, y: 14, "text-anchor": anchor }, this.root, cutName(column.name, names, Math.max(8, gap / 7.4)));
        svg("title", {}, label, column.name);
        column.labels = column.scale.ticks(5).map(([unit, text]) => [this.y(unit), cut(text, 10)]);
      });
      job.jobs.forEach((each, place) => {
        if (each.final === null) return;
        let pen = "M", path = "";
        this.columns.forEach((column) => {
          const value = column.value(each);
          if (value === null) { pen = "M"; return; }
          const x = column.x, y = this.y(column.scale.place(value) ?? 0);
          path += `${pen}${x.toFixed(1)},${y.toFixed(1)}`;
          pen = "L";
        });
        this.shapes[place] = path;
      });
      this.paths = this.shapes.map((shape) => [...shape.matchAll(/([ML])([\d.-]+),([\d.-]+)/g)].map((each) => [each[1], Number(each[2]), Number(each[3])]));
      this.paths.forEach((path, place) => { if (path.length) this.hits.push([place, path[0][1], path[0][2]]); });
    }

    front() {
      for (const column of this.columns) {
        for (const [y, text] of column.labels) {
          svg("text", { x: column.x + 5, y: y + 4, class: "tick" }, this.root, text);
        }
        column.brush = svg("rect", { class: "brush", x: column.x - 6, width: 12, y: 0, height: 0 }, this.root);
        const handle = svg("rect", { class: "handle", x: column.x - 9, width: 18, y: this.area.top - 6, height: this.area.bottom - this.area.top + 12 }, this.root);
        this.listen(handle, column);
        this.paint(column);
      }
    }

    listen(handle, column) {
      let start = null;
      handle.addEventListener("pointerdown", (event) => { start = this.pointer(event)[1]; handle.setPointerCapture(event.pointerId); event.preventDefault(); });
      handle.addEventListener("pointermove", (event) => { if (start !== null) this.brush(column, start, this.pointer(event)[1]); });
      handle.addEventListener("pointerup", (event) => {
        if (start !== null && Math.abs(this.pointer(event)[1] - start) < 3) this.brush(column, null, null);
        start = null;
      });
      handle.addEventListener("click", (event) => event.stopPropagation());
    }

    // The same for a keyboard: two sliders for each axis.
    addSliders(figure) {
      const box = html("details", "sliders", null, figure);
      html("summary", "", "Keep a part of an axis with sliders", box);
      this.sliders = Object.create(null);
      for (const { name } of this.columns || []) {
        const group = html("fieldset", "", null, box);
        html("legend", "", name, group);
        this.sliders[name] = ["from", "to"].map((end, n) => {
          const slider = html("input", "", null, group);
          slider.type = "range";
          slider.setAttribute("aria-label", `${name} ${end}`);
          slider.value = 100 * n;
          slider.addEventListener("input", () => this.slide(name, n));
          return slider;
        });
        this.sliders[name].push(html("span", "", null, group));
        this.tell(this.columns.find((each) => each.name === name));
      }
    }

    slide(name, moved) {
      const [from, to] = this.sliders[name];
      const [low, high] = [Number(from.value), Number(to.value)];
      const ends = low <= high ? [low, high] : moved === 0 ? [low, low] : [high, high];
      const all = ends[0] === 0 && ends[1] === 100;
      this.keep(this.columns.find((each) => each.name === name), all ? null : ends.map((end) => end / 100));
    }

    // What the sliders of an axis keep, in its values.
    tell(column) {
      if (!this.sliders) return;
      const [low, high] = this.kept?.[column.name] || [0, 1];
      const [from, to, words] = this.sliders[column.name];
      const texts = [low, high].map((unit) => column.scale.read(unit));
      [from, to].forEach((slider, n) => {
        slider.value = Math.round(100 * [low, high][n]);
        slider.setAttribute("aria-valuetext", texts[n]);
      });
      words.textContent = low === 0 && high === 1 ? "all" : texts.join(" to ");
    }

    brush(column, from, to) {
      const unit = (y) => Math.min(1, Math.max(0, (this.area.bottom - y) / (this.area.bottom - this.area.top)));
      this.keep(column, from === null ? null : [Math.min(unit(from), unit(to)), Math.max(unit(from), unit(to))]);
    }

    // What is kept is in units of the axis, so that it survives a resize; null is all.
    keep(column, units) {
      this.kept ||= Object.create(null);
      if (units === null) delete this.kept[column.name];
      else this.kept[column.name] = units;
      this.paint(column);
      this.tell(column);
      const names = Object.keys(this.kept);
      const brushed = this.columns.filter((each) => names.includes(each.name));
      this.view.setFilter("brush", names.length ? (place) => brushed.every((each) => {
        const value = each.value(this.view.job.jobs[place]);
        if (value === null) return false;
        const at = each.scale.place(value), [low, high] = this.kept[each.name];
        return at >= low && at <= high;
      }) : null);
    }

    paint(column) {
      const kept = this.kept?.[column.name];
      column.brush.setAttribute("y", kept ? this.y(kept[1]) : 0);
      column.brush.setAttribute("height", kept ? Math.max(1, this.y(kept[0]) - this.y(kept[1])) : 0);
    }

    pick(x, y) {
      let found = -1, nearest = 14;
      this.paths.forEach((path, place) => {
        if (!this.view.shown[place]) return;
        for (let n = 1; n < path.length; n += 1) {
          const [, x0, y0] = path[n - 1], [pen, x1, y1] = path[n];
          if (pen !== "L" || x < x0 || x > x1) continue;
          const distance = Math.abs(y0 + ((y1 - y0) * (x - x0)) / (x1 - x0) - y);
          if (distance < nearest) { nearest = distance; found = place; }
        }
      });
      return found;
    }
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

  // Best so far of all tuning jobs on one plot

  function drawRace(box) {
    const draw = () => {
      const width = box.clientWidth;
      if (!width) return;
      const chart = Object.create(Chart.prototype);
      const height = Math.round(Math.min(340, Math.max(240, width * 0.55)));
      box.replaceChildren();
      chart.root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height }, box);
      chart.area = { left: 52, right: width - 14, top: 26, bottom: height - 38 };
      const lines = tuningJobs.map(bestSoFar);
      const xs = makeClock(Math.max(1e-9, ...tuningJobs.map((each) => each.seconds)));
      const ys = scaleOfObjective(lines.flat().map((each) => each[1]), tuningJobs[0].maximize);
      chart.axes(xs, ys, "tuning time", tuningJobs[0].metric);
      lines.forEach((steps, n) => {
        if (!steps.length) return;
        let path = "";
        steps.forEach(([at, value], step) => {
          const x = chart.x(xs.place(at)).toFixed(1), y = chart.y(ys.place(value)).toFixed(1);
          path += step ? `H${x}V${y}` : `M${x},${y}`;
        });
        const end = chart.x(xs.place(tuningJobs[n].seconds));
        const dashed = n < 6 ? {} : { "stroke-dasharray": "6 3" };
        svg("path", { class: `lines race${n % 6}`, d: `${path}H${end}`, ...dashed }, chart.root);
        // Names where the lines are not: they start bad and get better.
        const row = tuningJobs[0].maximize ? chart.area.bottom - 8 - 16 * (lines.length - 1 - n) : chart.area.top + 12 + 16 * n;
        svg("text", { class: `race${n % 6}`, x: chart.area.right, y: row, "text-anchor": "end" }, chart.root, tuningJobs[n].name);
      });
    };
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Best so far over tuning time: ${tuningJobs.map((each) => each.name).join(", ")}`);
    let width = 0;
    new ResizeObserver(() => { if (Math.abs(box.clientWidth - width) > 4) { width = box.clientWidth; draw(); } }).observe(box);
  }

  // The table

  const OPERATORS = {
    "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
    "=": (a, b) => a === b, "==": (a, b) => a === b, "!=": (a, b) => a !== b,
  };

  class Table {
    constructor(view, section) {
      this.view = view;
      this.body = section.querySelector("tbody");
      this.rows = [...this.body.rows];
      this.byPlace = new Map(this.rows.map((row) => [Number(row.dataset.at), row]));
      this.texts = new Map(this.rows.map((row) => [row, row.textContent.toLowerCase()]));
      this.heads = [...section.querySelectorAll("thead th")];
      this.names = this.heads.map((head) => head.textContent.trim());
      this.input = section.querySelector(".filter");
      this.output = section.querySelector("output");
      this.heads.forEach((head, column) => head.firstChild.addEventListener("click", () => this.sort(column)));
      this.input.addEventListener("input", () => this.filter());
      const checks = [...section.querySelectorAll("input[type=checkbox]")];
      for (const check of checks) {
        check.addEventListener("change", () => {
          const off = checks.filter((each) => !each.checked).map((each) => each.value);
          view.setFilter("status", off.length ? (place) => !off.includes(view.job.jobs[place].status.replace("Stopping", "InProgress")) : null);
        });
      }
      this.body.addEventListener("pointermove", (event) => {
        const row = event.target.closest("tr");
        if (row && !view.pinned) { view.light(Number(row.dataset.at)); tip.hidden = true; }
      });
      this.body.addEventListener("pointerleave", () => { if (!view.pinned) view.light(-1); });
    }

    value(row, column) {
      const cell = row.cells[column];
      const raw = cell.dataset.v;
      if (raw === undefined) return cell.textContent.trim().toLowerCase();
      return raw === "" || Number.isNaN(Number(raw)) ? null : Number(raw);
    }

    sort(column) {
      const descending = this.heads[column].getAttribute("aria-sort") === "ascending";
      this.heads.forEach((head, n) => head.setAttribute("aria-sort", n !== column ? "none" : descending ? "descending" : "ascending"));
      const keyed = this.rows.map((row) => [this.value(row, column), row]);
      keyed.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last
        const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
        return descending ? -order : order;
      });
      this.rows = keyed.map((each) => each[1]);
      this.body.append(...this.rows);
    }

    filter() {
      const text = this.input.value.trim();
      const tests = [];
      let wrong = false;
      for (const part of text.split(/\s+and\s+/i).filter(Boolean)) {
        const match = part.match(/^(.+?)\s*(<=|>=|==|!=|<|>|=)\s*(.*)$/);
        if (!match) {
          for (const word of part.toLowerCase().split(/\s+/)) tests.push((row) => this.texts.get(row).includes(word));
          continue;
        }
        const column = this.names.indexOf(match[1]);
        if (column < 0 || match[3] === "") { wrong = true; continue; }
        const number = Number(match[3]);
        const wanted = Number.isNaN(number) ? match[3].toLowerCase() : number;
        tests.push((row) => {
          const value = this.value(row, column);
          return value !== null && typeof value === typeof wanted && OPERATORS[match[2]](value, wanted);
        });
      }
      this.input.setAttribute("aria-invalid", String(wrong));
      this.view.setFilter("text", tests.length ? (place) => tests.every((test) => test(this.byPlace.get(place))) : null);
    }

    update() {
      let count = 0;
      for (const [place, row] of this.byPlace) {
        row.hidden = !this.view.shown[place];
        count += !row.hidden;
      }
      this.output.textContent = `${count} of ${this.byPlace.size} jobs`;
    }

    light(place) {
      if (this.lit) this.lit.classList.remove("lit");
      this.lit = this.byPlace.get(place);
      if (this.lit) this.lit.classList.add("lit");
    }
  }

  // Put it together

  function describe(job, what) {
    const best = job.best === null ? "" : ` The best is ${job.jobs[job.best].name} with ${formatNumber(job.jobs[job.best].final)}.`;
    return `${what} of ${job.name}: ${job.jobs.length} training jobs.${best} Arrow keys step through them; the table below has all values.`;
  }

  const CHARTS = { progress: [Progress, "Objective over time"], curves: [Curves, "Learning curves"], parallel: [Parallel, "Hyperparameters together"], timeline: [Timeline, "Who ran when"] };

  for (const section of document.querySelectorAll(".tuning-job")) {
    const job = tuningJobs[Number(section.dataset.place)];
    const view = new View(job, section);
    for (const figure of section.querySelectorAll("figure[data-chart]")) {
      const box = figure.querySelector(".plot, .grid");
      if (figure.dataset.chart === "singles") {
        job.ranges.forEach((range, n) => new Single(view, html("div", "plot", null, box), describe(job, range.name), n));
        continue;
      }
      const [kind, what] = CHARTS[figure.dataset.chart];
      const chart = new kind(view, box, describe(job, what));
      if (figure.dataset.chart === "parallel") chart.addSliders(figure);
      else addLegend(chart);
    }
    view.table = new Table(view, section.querySelector(".jobs"));
    const copy = section.querySelector(".copy");
    if (copy) copy.addEventListener("click", () => copyText(copy, section.querySelector(".command code")));
  }
  for (const figure of document.querySelectorAll('figure[data-chart="race"]')) drawRace(figure.querySelector(".plot"));

  function copyText(button, code) {
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    getSelection().selectAllChildren(code);
    if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, () => {});
    else if (document.execCommand("copy")) done();
  }

  addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
  addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
  addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
})();
