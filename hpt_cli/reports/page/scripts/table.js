// The table of training jobs: it sorts, filters, and gives its texts to tooltips.

class Table {
  constructor(view, section) {
    this.view = view;
    this.body = section.querySelector("tbody");
    this.rows = [...this.body.rows];
    this.byPlace = [...this.rows];
    this.heads = [...section.querySelectorAll("thead th")];
    this.names = this.heads.map((head) => head.dataset.column);
    this.roles = this.heads.map((head) => head.dataset.role);
    this.input = section.querySelector(".filter");
    this.output = section.querySelector("output");
    const { columns } = view.job;
    this.records = this.rows.map((row, place) => ({
      text: row.textContent.toLowerCase(),
      get: (name) => columns.get(name)[place],
    }));
    this.heads.forEach((head, index) => head.firstElementChild.addEventListener("click", () => this.sort(index)));
    this.input.addEventListener("input", () => this.filter());
    this.listenToStatuses([...section.querySelectorAll("input[type=checkbox]")]);
    this.body.addEventListener("pointermove", (event) => {
      const row = event.target.closest("tr");
      if (row && !view.pinned) { view.highlight(Number(row.dataset.at)); tip.hidden = true; }
    });
    this.body.addEventListener("pointerleave", () => { if (!view.pinned) view.highlight(-1); });
  }

  listenToStatuses(checks) {
    for (const check of checks) {
      check.addEventListener("change", () => {
        const off = checks.filter((each) => !each.checked).map((each) => each.value);
        const isShown = (place) => !off.includes(this.view.job.jobs[place].status.replace("Stopping", "InProgress"));
        this.view.setFilter("status", off.length ? isShown : null);
      });
    }
  }

  // The text of a job's cell; nothing where the table has no column of this role.
  text(place, role) {
    return this.byPlace[place].cells[this.roles.indexOf(role)]?.textContent.trim() ?? "";
  }

  // What a cell is sorted by: its number, null where a column of numbers has none, or its text.
  key(row, index) {
    const cell = row.cells[index], value = this.view.job.columns.get(this.names[index])[row.dataset.at];
    if (typeof value === "number") return value;
    return cell.className === "number" ? null : cell.textContent.trim().toLowerCase();
  }

  sort(index) {
    const descending = this.heads[index].getAttribute("aria-sort") === "ascending";
    this.heads.forEach((head, n) => head.setAttribute("aria-sort", n !== index ? "none" : descending ? "descending" : "ascending"));
    const keyed = this.rows.map((row) => [this.key(row, index), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null); // what is missing comes last
      const order = typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
      return descending ? -order : order;
    });
    this.rows = keyed.map((each) => each[1]);
    this.body.append(...this.rows);
  }

  filter() {
    let condition = null, message = "";
    try {
      condition = parseCondition(this.input.value, this.view.job.columns.keys(), true);
    } catch (error) {
      message = error.message;
    }
    this.input.setAttribute("aria-invalid", String(message !== ""));
    this.input.title = message;
    this.view.setFilter("text", condition && ((place) => condition(this.records[place])));
  }

  update() {
    this.byPlace.forEach((row, place) => { row.hidden = !this.view.shown[place]; });
    const count = this.view.shown.filter(Boolean).length;
    this.output.textContent = `${count} of ${this.rows.length} jobs`;
  }

  highlight(place) {
    if (this.lit) this.lit.classList.remove("lit");
    this.lit = this.byPlace[place];
    if (this.lit) this.lit.classList.add("lit");
  }
}
