"use strict";
(() => {
  const run = JSON.parse(document.getElementById("run").textContent);
  const NS = "http://www.w3.org/2000/svg";
  const fine = (v) => v !== null && Number.isFinite(v);

  function node(tag, attributes, parent, text) {
    const made = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    if (parent) parent.appendChild(made);
    return made;
  }

  function show(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    const text = size >= 1e5 || size < 1e-3 ? value.toExponential(1).replace("e+", "e").replace(".0e", "e") : String(Number(value.toPrecision(4)));
    return text.replaceAll("-", "−");
  }

  function ticks(low, high, wanted) {
    const raw = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
    const marks = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) marks.push(i * step);
    return marks;
  }

  // Marks of a logarithmic axis, as powers of ten; 2 and 5 between them where there are few.
  function decades(low, high) {
    const first = Math.floor(low), last = Math.ceil(high), by = Math.max(1, Math.ceil((last - first) / 7));
    const marks = [];
    for (let i = first; i <= last; i += by)
      for (const part of high - low < 2.5 ? [1, 2, 5] : [1]) marks.push(i + Math.log10(part));
    return marks.filter((m) => m >= low - 1e-9 && m <= high + 1e-9);
  }

  // As wide as its place, so that letters keep their size on every screen.
  const wide = (place) => Math.min(Math.max(place.clientWidth || 340, 260), 900);

  // A plot with its axes: returns the SVG and the two scales.
  function plot(place, label, xs, ys, { width = wide(place), height = 270, log = false, names = ["", ""], whole = false } = {}) {
    const pad = { left: 58, right: 14, top: 10, bottom: 40 };
    const range = (values) => {
      const good = values.filter(fine);
      let low = good.length ? Math.min(...good) : 0, high = good.length ? Math.max(...good) : 1;
      if (!(high > low)) { const half = Math.abs(low) * 0.1 || 0.5; low -= half; high += half; }
      return [low, high];
    };
    const [x0, x1] = range(xs), [y0, y1] = range(ys);
    const mx = (x1 - x0) * 0.04, my = (y1 - y0) * 0.06;
    const X = (v) => pad.left + ((v - x0 + mx) / (x1 - x0 + 2 * mx)) * (width - pad.left - pad.right);
    const Y = (v) => height - pad.bottom - ((v - y0 + my) / (y1 - y0 + 2 * my)) * (height - pad.top - pad.bottom);
    place.replaceChildren();
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, place);
    for (const v of ticks(x0 - mx, x1 + mx, width / 80)) {
      if (whole && !Number.isInteger(v)) continue;
      node("line", { class: "tick", x1: X(v), x2: X(v), y1: pad.top, y2: height - pad.bottom }, svg);
      node("text", { x: X(v), y: height - pad.bottom + 15, "text-anchor": "middle" }, svg, show(v));
    }
    for (const v of log ? decades(y0 - my, y1 + my) : ticks(y0 - my, y1 + my, height / 55)) {
      node("line", { class: "tick", x1: pad.left, x2: width - pad.right, y1: Y(v), y2: Y(v) }, svg);
      node("text", { x: pad.left - 6, y: Y(v) + 4, "text-anchor": "end" }, svg, log ? show(10 ** v) : show(v));
    }
    node("line", { class: "axis", x1: pad.left, x2: width - pad.right, y1: height - pad.bottom, y2: height - pad.bottom }, svg);
    node("line", { class: "axis", x1: pad.left, x2: pad.left, y1: pad.top, y2: height - pad.bottom }, svg);
    node("text", { x: (width + pad.left) / 2, y: height - 6, "text-anchor": "middle" }, svg, short(names[0]));
    const side = node("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(12 ${(height - pad.bottom) / 2}) rotate(-90)` }, svg, short(names[1]));
    side.dataset.axis = "y";
    return { svg, X, Y, box: { left: pad.left, right: width - pad.right, top: pad.top, bottom: height - pad.bottom } };
  }

  const short = (text) => (text.length > 40 ? text.slice(0, 39) + "…" : text);

  function dots(p, xs, ys, kind) {
    xs.forEach((x, i) => { if (fine(x) && fine(ys[i])) node("circle", { class: kind, cx: p.X(x), cy: p.Y(ys[i]), r: xs.length < 60 ? 3.5 : 2 }, p.svg); });
  }

  function line(p, xs, ys, kind, keep) {
    let path = "", pen = "M";
    xs.forEach((x, i) => {
      const y = ys[i], inside = fine(y) && keep(x) && p.Y(y) >= p.box.top - 1 && p.Y(y) <= p.box.bottom + 1;
      if (!inside) { pen = "M"; return; }
      path += `${pen}${p.X(x).toFixed(1)} ${p.Y(y).toFixed(1)}`; pen = "L";
    });
    if (path) node("path", { class: kind, d: path }, p.svg);
  }

  const target = document.querySelector("h1 em").textContent;
  let picked = run.chosen;

  function drawFront() {
    const place = document.getElementById("front-chart");
    const errors = run.front.map((l) => l.error), positive = errors.filter((e) => fine(e) && e > 0);
    const floor = positive.length ? Math.min(...positive) : 1;
    const log = positive.length > 0 && Math.max(...positive) > 20 * floor || errors.some((e) => e === 0);
    const xs = run.front.map((l) => l.complexity);
    // An error of exactly 0 has no place on a logarithmic axis: it stands one decade below the rest.
    const ys = errors.map((e) => (!fine(e) ? null : log ? Math.log10(e > 0 ? e : floor / 10) : e));
    const p = plot(place, "Held-out error against complexity; each point is a formula that can be picked", xs, ys,
      { height: 300, log, whole: true, names: ["complexity", "held-out error"] });
    p.svg.setAttribute("role", "group");
    line(p, xs, ys, "trace", () => true);
    run.front.forEach((law, i) => {
      if (!fine(ys[i])) return;
      const dot = node("circle", { class: "choice", cx: p.X(xs[i]), cy: p.Y(ys[i]), r: 8, tabindex: 0, role: "button",
        "data-row": i, "aria-pressed": i === picked, "aria-label": `complexity ${law.complexity}: ${law.equation}` }, p.svg);
      node("title", {}, dot, law.equation);
      dot.addEventListener("click", () => pick(i));
      dot.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); pick(i); } });
    });
  }

  function drawData() {
    const data = run.pictures;
    if (!data) return;
    const values = data.predicted[picked], measured = data.target;
    const place = document.getElementById("predicted");
    const both = measured.concat(values);
    let p = plot(place, `Predicted against measured ${target}, ${measured.length} rows`, both, both, { names: [`${target}, measured`, "predicted"] });
    const good = both.filter(fine), low = Math.min(...good), high = Math.max(...good);
    node("line", { class: "zero", x1: p.X(low), y1: p.Y(low), x2: p.X(high), y2: p.Y(high) }, p.svg);
    dots(p, measured, values, "dot");
    const sigma = data.sigma, unit = sigma ? "residual / standard error" : "measured − predicted";
    const rest = measured.map((y, i) => (fine(values[i]) ? (y - values[i]) / (sigma ? sigma[i] : 1) : null));
    document.querySelectorAll(".residual").forEach((at) => {
      const name = at.dataset.column, xs = data.columns[name];
      p = plot(at, `Measured minus predicted ${target}${sigma ? " in standard errors" : ""} against ${name}`, xs, rest.concat(sigma ? [-2.5, 2.5] : [0]), { names: [name, unit] });
      if (sigma) p.svg.insertBefore(node("rect", { class: "shade", x: p.box.left, width: p.box.right - p.box.left, y: p.Y(2), height: p.Y(-2) - p.Y(2) }), p.svg.firstChild);
      node("line", { class: "zero", x1: p.box.left, x2: p.box.right, y1: p.Y(0), y2: p.Y(0) }, p.svg);
      dots(p, xs, rest, "dot");
    });
    document.querySelectorAll(".slice").forEach((at) => {
      const name = at.dataset.column, column = data.columns[name], [from, to] = run.ranges[name];
      const [left, right] = data.spans[name], cut = data.slices[picked][name];
      const xs = cut.map((_, i) => left + ((right - left) * i) / (cut.length - 1));
      // A pole outside the data must not flatten the rest: at most one spread beyond the measured values.
      const spread = Math.max(...measured) - Math.min(...measured);
      const bottom = Math.min(...measured) - spread, top = Math.max(...measured) + spread;
      const alone = Object.keys(data.columns).length === 1;
      const seen = cut.map((y) => (fine(y) ? Math.min(Math.max(y, bottom), top) : null)).concat(alone ? measured : []);
      p = plot(at, `${target} along ${name}; the data reach from ${show(from)} to ${show(to)}`, xs, seen, { names: [name, target] });
      p.svg.insertBefore(node("rect", { class: "shade", x: p.X(from), width: p.X(to) - p.X(from), y: p.box.top, height: p.box.bottom - p.box.top }), p.svg.firstChild);
      const step = (to - from) * 1e-9;
      const ends = (data.bands || [])[picked];
      if (ends && ends[name][0].every(fine)) {
        const clip = (y) => p.Y(Math.min(Math.max(y, bottom), top));
        const path = ends[name][1].map((y, i) => `${p.X(xs[i])},${clip(y)}`)
          .concat(ends[name][0].map((y, i) => `${p.X(xs[i])},${clip(y)}`).reverse());
        node("polygon", { class: "band", points: path.join(" ") }, p.svg);
      }
      line(p, xs, cut, "outside", () => true);
      line(p, xs, cut, "inside", (x) => x >= from - step && x <= to + step);
      if (alone) dots(p, column, measured, "measured");
      if (alone) dots(p, (data.outliers || []).map((o) => o[name]), (data.outliers || []).map((o) => o[""]), "off-row");
    });
  }

  function pick(row) {
    picked = row;
    document.querySelectorAll("main div[data-row]").forEach((part) => { part.hidden = Number(part.dataset.row) !== row; });
    document.querySelectorAll("#front tbody tr").forEach((line) => { line.classList.toggle("picked", Number(line.dataset.row) === row); });
    document.querySelectorAll(".pick").forEach((button) => {
      const on = Number(button.dataset.row) === row;
      button.setAttribute("aria-pressed", on); button.textContent = on ? "▶" : "▷";
    });
    document.querySelectorAll(".choice").forEach((dot) => {
      const on = Number(dot.dataset.row) === row;
      dot.classList.toggle("picked", on); dot.setAttribute("aria-pressed", on);
    });
    const which = document.getElementById("which"), trust = document.getElementById("trust");
    which.textContent = row === run.chosen ? "chosen" : `complexity ${run.front[row].complexity}, not the chosen one`;
    which.classList.toggle("other", row !== run.chosen);
    if (trust) trust.hidden = row !== run.chosen;
    document.getElementById("said").textContent = `${target} = ${run.front[row].equation}`;
    drawData();
  }

  document.querySelectorAll("#front tbody tr").forEach((line) => line.addEventListener("click", () => pick(Number(line.dataset.row))));
  document.querySelectorAll(".copy").forEach((button) => button.addEventListener("click", async () => {
    const text = button.closest(".code").querySelector("pre").textContent;
    try { await navigator.clipboard.writeText(text); }
    catch { const area = document.createElement("textarea"); area.value = text; document.body.append(area); area.select(); document.execCommand("copy"); area.remove(); }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }));
  drawFront();
  pick(run.chosen);
  let drawn = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== drawn) { drawn = window.innerWidth; drawFront(); pick(picked); }
  });
})();
