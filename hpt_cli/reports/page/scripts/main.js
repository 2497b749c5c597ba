// Reads the data of the page, draws its charts, and connects them with its tables.

// A tuning job with its columns by every name that they have, and its training jobs as charts use them.
function readTuningJob(data) {
  const length = data.ended.length, columns = new Map();
  for (const [names, values] of data.columns) {
    const each = Array.isArray(values) ? values : Array(length).fill(values); // one value stands for all
    for (const name of names) columns.set(name, each);
  }
  const column = (name) => columns.get(name);
  const jobs = data.ended.map((ended, place) => ({
    ended,
    name: column("training_job_name")[place],
    status: column("training_job_status")[place],
    final: Number.isFinite(column("final_objective_value")[place]) ? column("final_objective_value")[place] : null,
    settings: data.ranges.map((range) => range.settings[place]),
  }));
  for (const { name, settings } of data.ranges) {
    columns.set(name, settings);
    columns.set(`hyperparameter.${name}`, settings);
  }
  return { ...data, columns, jobs };
}

const tuningJobs = JSON.parse(document.getElementById("data").textContent).map(readTuningJob);

function describe(job, what) {
  const best = job.best === null ? "" : ` The best is ${job.jobs[job.best].name} with ${formatNumber(job.jobs[job.best].final)}.`;
  return `${what} of ${job.name}: ${job.jobs.length} training jobs.${best} Arrow keys step through them; the table below has all values.`;
}

const CHARTS = { progress: [Progress, "Objective over time"], curves: [Curves, "Learning curves"], parallel: [Parallel, "Hyperparameters together"], timeline: [Timeline, "Timeline"] };

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
for (const figure of document.querySelectorAll('figure[data-chart="race"]')) new Race(figure.querySelector(".plot"));

function copyText(button, code) {
  const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
  getSelection().selectAllChildren(code);
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(done, () => {});
  else if (document.execCommand("copy")) done();
}

addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
addEventListener("beforeprint", () => { for (const each of document.querySelectorAll("details")) each.open = true; });
