"use strict";
/* Charts are drawn from the tables beside them: one source, and readers of tables lose nothing. */

(() => {
  const token = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const language = document.documentElement.lang || "en";
  const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });

  const axis = (more = {}) => ({
    border: { display: false },
    grid: { color: token("--line"), drawTicks: false },
    ticks: { color: token("--ink-3"), padding: 8, font: { family: "Inter", size: 12 } },
    ...more,
  });

  const options = (more = {}) => ({
    responsive: true,
    maintainAspectRatio: false,
    animation: false,
    plugins: {
      legend: { display: false },
      tooltip: {
        backgroundColor: token("--ink"), titleColor: token("--surface"), bodyColor: token("--surface"),
        padding: 10, cornerRadius: 6, displayColors: false, bodyFont: { family: "Inter" }, titleFont: { family: "Inter" },
      },
    },
    ...more,
  });

  const rows = (id) => [...document.querySelectorAll(`#${id} tbody tr`)];
  const heading = (row) => row.querySelector("th").textContent.trim();

  const charts = {
    ageing(canvas) {
      const found = rows("ageing");
      const unit = document.getElementById("ageing").dataset.unit;
      return new Chart(canvas, {
        type: "bar",
        data: {
          labels: found.map((row) => row.dataset.short),
          datasets: [{
            data: found.map((row) => Number(row.dataset.value)),
            backgroundColor: found.map((row) => token(`--age-${row.dataset.tone}`)),
            borderRadius: 5, maxBarThickness: 72, categoryPercentage: 0.72, barPercentage: 0.95,
          }],
        },
        options: options({
          scales: {
            x: axis({ grid: { display: false }, ticks: { ...axis().ticks, maxRotation: 0, autoSkip: false } }),
            y: axis({ ticks: { ...axis().ticks, maxTicksLimit: 6, callback: (value) => short.format(value) } }),
          },
          plugins: { ...options().plugins, tooltip: { ...options().plugins.tooltip, callbacks: { label: (item) => `${whole.format(item.raw)} ${unit}` } } },
          onClick: (_event, hit) => { if (hit.length) found[hit[0].index].querySelector("a")?.click(); },
          onHover: (event, hit) => { event.native.target.classList.toggle("pointing", hit.length > 0); },
        }),
      });
    },
    ahead(canvas) {
      const found = rows("ahead");
      const words = canvas.parentElement.dataset;
      const side = (name, label, tone) => ({
        label, data: found.map((row) => Number(row.dataset[name])), backgroundColor: token(tone), borderRadius: 3,
      });
      const sides = [side("live", words.live, words.then ? "--age-x" : "--age-0")];
      if (words.then) sides.push(side("then", words.then, "--age-0"));
      return new Chart(canvas, {
        type: "bar",
        data: { labels: found.map((row) => row.dataset.short), datasets: sides },
        options: options({
          scales: {
            x: axis({ grid: { display: false } }),
            y: axis({ beginAtZero: true, ticks: { ...axis().ticks, maxTicksLimit: 6, precision: 0, callback: (value) => short.format(value) } }),
          },
          plugins: { ...options().plugins, tooltip: { ...options().plugins.tooltip, callbacks: { label: (item) => `${item.dataset.label}: ${whole.format(item.raw)}` } } },
        }),
      });
    },
    classes(canvas) {
      const found = rows("classes");
      const tones = { A: "--age-0", B: "--age-0", C: "--age-1", D: "--age-2", E: "--age-4" };
      return new Chart(canvas, {
        type: "bar",
        data: {
          labels: found.map(heading),
          datasets: [{
            data: found.map((row) => Number(row.dataset.value)),
            backgroundColor: found.map((row) => token(tones[heading(row)] || "--age-x")),
            borderRadius: 4, maxBarThickness: 22,
          }],
        },
        options: options({
          indexAxis: "y",
          scales: {
            x: axis({ ticks: { ...axis().ticks, maxTicksLimit: 5, callback: (value) => short.format(value) } }),
            y: axis({ grid: { display: false } }),
          },
        }),
      });
    },
  };

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-chart]").forEach((place) => {
      const canvas = place.appendChild(document.createElement("canvas"));
      charts[place.dataset.chart](canvas);
    });
  });
})();
