// What all charts share: SVG and HTML elements, the view of a tuning job, its tooltip, axes, pointing.

const tip = document.getElementById("tip");
const said = document.getElementById("said"); // what a screen reader says
const MANY = 120; // from so many training jobs on, marks are drawn lighter
const PATHS = 80; // a group is drawn in so many paths: they shine through each other
const ORDER = ["Failed", "Stopped", "Stopping", "Completed", "InProgress", "best"];

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

function cut(text, length) {
  return text.length > length ? `${text.slice(0, Math.max(1, Math.floor(length) - 1))}…` : text;
}

// The selection and the highlight of one tuning job, which its charts and its table follow.

class View {
  constructor(job, section) {
    this.job = job;
    this.section = section;
    this.shown = job.jobs.map(() => true);
    this.filters = {}; // by their owner: (place) => whether the job is shown
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

  highlight(place, x = 0, y = 0) {
    if (place !== this.lit) {
      this.lit = place;
      for (const chart of this.charts) chart.highlight(place);
      if (this.table) this.table.highlight(place);
    }
    if (place < 0) tip.hidden = true;
    else showTip(this, place, x, y);
  }
}

// The tooltip of a job. Its texts are those of the table.
function showTip({ job, table }, place, x, y) {
  const text = (role) => table.text(place, role);
  const reason = text("reason"), name = `${job.jobs[place].name}${place === job.best ? " ★" : ""}`;
  tip.replaceChildren();
  html("b", "", name, tip);
  html("div", "muted", `${text("status")}${reason ? ` (${reason})` : ""}, ${text("epochs")} epochs, ${text("time")}`, tip);
  const values = html("table", "", null, tip);
  const active = job.ranges.filter((_, n) => job.jobs[place].settings[n] !== null);
  for (const [heading, role] of [[job.metric, "objective"], ...active.map((each) => [each.name, `hyperparameter.${each.name}`])]) {
    const row = html("tr", "", null, values);
    html("td", "muted", heading, row);
    html("td", "", text(role), row);
  }
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const left = x + 16 + box.width > innerWidth ? x - 16 - box.width : x + 16;
  const top = Math.min(y + 14, innerHeight - box.height - 8);
  tip.style.transform = `translate(${Math.max(6, left)}px, ${Math.max(6, top)}px)`;
}

// An SVG image with two axes.

class Plot {
  // Replaces what is in a box; returns false where it has no room.
  begin(box, size) {
    const [width, height] = size(box.clientWidth);
    this.width = box.clientWidth;
    if (!this.width) return false;
    box.replaceChildren();
    this.root = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, box);
    if (width > this.width) this.root.style.minWidth = `${width}px`;
    this.area = { left: 52, right: width - 14, top: 10, bottom: height - 38, width, height };
    return true;
  }

  // Calls draw now and whenever the box gets another width.
  follow(box, draw) {
    new ResizeObserver(() => { if (Math.abs(box.clientWidth - this.width) > 4) draw(); }).observe(box);
    draw();
  }

  x(unit) { return this.area.left + unit * (this.area.right - this.area.left); }
  y(unit) { return this.area.bottom - unit * (this.area.bottom - this.area.top); }

  // The path of a step function through [x, y] points, up to another x.
  steps(points, xs, ys, end) {
    const path = points.map(([at, value], n) => {
      const x = this.x(xs.place(at)).toFixed(1), y = this.y(ys.place(value)).toFixed(1);
      return n ? `H${x}V${y}` : `M${x},${y}`;
    });
    return path.length ? `${path.join("")}H${end}` : "";
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
}

// A plot of all training jobs: each has a shape, a piece of a path, in the layer of its group.

class Chart extends Plot {
  constructor(view, box, label) {
    super();
    this.view = view;
    this.box = box;
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-roledescription", "chart");
    box.setAttribute("aria-label", label);
    view.charts.push(this);
    box.addEventListener("pointermove", (event) => this.onMove(event));
    box.addEventListener("pointerleave", () => { if (!view.pinned) view.highlight(-1); });
    box.addEventListener("click", (event) => this.onClick(event));
    box.addEventListener("keydown", (event) => this.onKey(event));
    box.addEventListener("blur", () => { view.pinned = false; view.highlight(-1); });
    this.follow(box, () => this.render());
  }

  render() {
    if (!this.begin(this.box, (width) => this.size(width))) return;
    this.hits = []; // [place, x, y] of everything that can be pointed at
    this.shapes = this.view.job.jobs.map(() => "");
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

  highlight(place) {
    if (this.overlay) this.overlay.setAttribute("d", place < 0 ? "" : this.shapes[place]);
  }

  dot(place, x, y) {
    this.shapes[place] += `M${x.toFixed(1)},${y.toFixed(1)}h0`;
    this.hits.push([place, x, y]);
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
    this.view.highlight(this.pick(...this.pointer(event)), event.clientX, event.clientY);
  }

  onClick(event) {
    const place = this.pick(...this.pointer(event));
    this.view.pinned = place >= 0;
    this.view.highlight(place, event.clientX, event.clientY);
  }

  // Arrow keys step through the jobs, Escape lets go.
  onKey(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape") { this.view.pinned = false; this.view.highlight(-1); }
    if (!step) return;
    event.preventDefault();
    const drawn = this.shapes.map((_, place) => place).filter((place) => this.shapes[place] && this.view.shown[place]);
    if (!drawn.length) return;
    const at = drawn.indexOf(this.view.lit);
    const place = at < 0 ? drawn[step > 0 ? 0 : drawn.length - 1] : drawn[(at + step + drawn.length) % drawn.length];
    const hit = this.hits.find((each) => each[0] === place) || [place, this.area.left, this.area.top];
    const box = this.root.getBoundingClientRect();
    const scale = box.width / this.area.width;
    this.view.highlight(place, box.left + hit[1] * scale, box.top + hit[2] * scale);
    said.textContent = tip.innerText.replace(/\s*\n\s*/g, ", ").replace(/\t/g, " ");
  }
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
