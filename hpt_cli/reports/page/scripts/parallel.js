// Parallel coordinates: an axis for each hyperparameter and the objective, of which a part can be selected.

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
    handle.addEventListener("pointermove", (event) => { if (start !== null) this.drag(column, start, this.pointer(event)[1]); });
    handle.addEventListener("pointerup", (event) => {
      if (start !== null && Math.abs(this.pointer(event)[1] - start) < 3) this.drag(column, null, null);
      start = null;
    });
    handle.addEventListener("click", (event) => event.stopPropagation());
  }

  // The same by keyboard: two sliders for each axis.
  addSliders(figure) {
    const box = html("details", "sliders", null, figure);
    html("summary", "", "Select ranges with sliders", box);
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
      this.describe(this.columns.find((each) => each.name === name));
    }
  }

  slide(name, moved) {
    const [from, to] = this.sliders[name];
    const [low, high] = [Number(from.value), Number(to.value)];
    const ends = low <= high ? [low, high] : moved === 0 ? [low, low] : [high, high];
    const all = ends[0] === 0 && ends[1] === 100;
    this.select(this.columns.find((each) => each.name === name), all ? null : ends.map((end) => end / 100));
  }

  // Shows what the sliders of an axis select, in its values.
  describe(column) {
    if (!this.sliders) return;
    const [low, high] = this.selected?.[column.name] || [0, 1];
    const [from, to, words] = this.sliders[column.name];
    const texts = [low, high].map((unit) => column.scale.read(unit));
    [from, to].forEach((slider, n) => {
      slider.value = Math.round(100 * [low, high][n]);
      slider.setAttribute("aria-valuetext", texts[n]);
    });
    words.textContent = low === 0 && high === 1 ? "all" : texts.join(" to ");
  }

  drag(column, from, to) {
    const unit = (y) => Math.min(1, Math.max(0, (this.area.bottom - y) / (this.area.bottom - this.area.top)));
    this.select(column, from === null ? null : [Math.min(unit(from), unit(to)), Math.max(unit(from), unit(to))]);
  }

  // Selections are in units of the axis, so that they survive a resize; null is all.
  select(column, units) {
    this.selected ||= Object.create(null);
    if (units === null) delete this.selected[column.name];
    else this.selected[column.name] = units;
    this.paint(column);
    this.describe(column);
    const names = Object.keys(this.selected);
    const brushed = this.columns.filter((each) => names.includes(each.name));
    this.view.setFilter("brush", names.length ? (place) => brushed.every((each) => {
      const value = each.value(this.view.job.jobs[place]);
      if (value === null) return false;
      const at = each.scale.place(value), [low, high] = this.selected[each.name];
      return at >= low && at <= high;
    }) : null);
  }

  paint(column) {
    const part = this.selected?.[column.name];
    column.brush.setAttribute("y", part ? this.y(part[1]) : 0);
    column.brush.setAttribute("height", part ? Math.max(1, this.y(part[0]) - this.y(part[1])) : 0);
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
