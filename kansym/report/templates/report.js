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

  // How a column is written: a letter is set in italics with what stands below the line, a word as it is.
  function write(text, name, said) {
    const label = run.labels[name] || { stem: name, below: "", unit: "" };
    const one = label.stem.length === 1;
    node("tspan", one ? { class: "sign" } : {}, text, short(label.stem));
    if (label.below) node("tspan", { dy: 3, "font-size": 8 }, text, label.below);
    node("tspan", label.below ? { dy: -3 } : {}, text, said + label.unit);
  }

  // A plot with its axes: returns the SVG and the two scales, which take values as they are. An axis has a `name` or the
  // `column` it shows and what is `said` of it; it may be `log`, `whole`, and have a `zero`, the level of exact laws.
  function plot(place, label, xs, ys, { width = wide(place), height = 270, x = {}, y = {} } = {}) {
    const pad = { left: 58, right: 14, top: 10, bottom: 40 };
    const scale = (values, { log }, margin, from, to) => {
      const of = (v) => (log ? Math.log10(v) : v), good = values.filter((v) => fine(v) && (!log || v > 0)).map(of);
      let low = good.length ? Math.min(...good) : 0, high = good.length ? Math.max(...good) : 1;
      if (!(high > low)) { const half = Math.abs(low) * 0.1 || 0.5; low -= half; high += half; }
      const more = (high - low) * margin;
      const at = (v) => from + ((of(v) - low + more) / (high - low + 2 * more)) * (to - from);
      return { at, marks: (count) => (log ? decades(low - more, high + more).map((m) => 10 ** m) : ticks(low - more, high + more, count)) };
    };
    const across = scale(xs, x, 0.04, pad.left, width - pad.right);
    const up = scale(ys, y, 0.06, height - pad.bottom, pad.top);
    const X = across.at, Y = up.at;
    place.replaceChildren();
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label }, place);
    for (const v of across.marks(width / 80)) {
      if (x.whole && !Number.isInteger(v)) continue;
      node("line", { class: "tick", x1: X(v), x2: X(v), y1: pad.top, y2: height - pad.bottom }, svg);
      node("text", { x: X(v), y: height - pad.bottom + 15, "text-anchor": "middle" }, svg, show(v));
    }
    const marks = up.marks(height / 55);
    for (const v of y.zero ? [y.zero, ...marks.filter((m) => m > y.zero * 1.5)] : marks) {
      node("line", { class: "tick", x1: pad.left, x2: width - pad.right, y1: Y(v), y2: Y(v) }, svg);
      node("text", { x: pad.left - 6, y: Y(v) + 4, "text-anchor": "end" }, svg, v === y.zero ? "0 (exact)" : show(v));
    }
    node("line", { class: "axis", x1: pad.left, x2: width - pad.right, y1: height - pad.bottom, y2: height - pad.bottom }, svg);
    node("line", { class: "axis", x1: pad.left, x2: pad.left, y1: pad.top, y2: height - pad.bottom }, svg);
    const below = node("text", { x: (width + pad.left) / 2, y: height - 6, "text-anchor": "middle" }, svg, x.name);
    const side = node("text", { x: 0, y: 0, "text-anchor": "middle", transform: `translate(12 ${(height - pad.bottom) / 2}) rotate(-90)` }, svg, y.name);
    side.dataset.axis = "y";
    if (x.column) write(below, x.column, x.said || "");
    if (y.column) write(side, y.column, y.said || "");
    return { svg, X, Y, box: { left: pad.left, right: width - pad.right, top: pad.top, bottom: height - pad.bottom } };
  }

  // A column's name as plain text, and whether its axis has whole numbers alone.
  const plain = (name) => (run.labels[name] || { plain: name }).plain;
  const counts = (name) => (run.pictures.wholes || []).includes(name);

  const short = (text) => (text.length > 40 ? text.slice(0, 39) + "…" : text);

  function dots(p, xs, ys, kind) {
    xs.forEach((x, i) => {
      if (!fine(x) || !fine(ys[i])) return;
      const cx = p.X(x), cy = p.Y(ys[i]);
      if (Number.isFinite(cx) && Number.isFinite(cy)) node("circle", { class: kind, cx, cy, r: xs.length < 60 ? 3.5 : 2 }, p.svg);
    });
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

  // Tell the values of what is nearest under the pointer; `series` are lists of x, of y, and what is said of each.
  function hover(p, series) {
    const spots = series.flatMap(({ xs, ys, tell }) => xs.map((x, i) => ({ x, y: ys[i], tell }))).filter((s) => fine(s.x) && fine(s.y))
      .map((s) => ({ ...s, at: [p.X(s.x), p.Y(s.y)] })).filter((s) => s.at.every(Number.isFinite) && s.at[1] >= p.box.top - 1 && s.at[1] <= p.box.bottom + 1);
    const tip = node("g", { class: "tip" }, p.svg), ring = node("circle", { r: 5 }, tip), text = node("text", {}, tip);
    const hide = () => { tip.style.display = "none"; };
    hide();
    p.svg.addEventListener("pointerleave", hide);
    p.svg.addEventListener("pointermove", (event) => {
      const frame = p.svg.getBoundingClientRect(), size = p.svg.viewBox.baseVal.width / frame.width;
      const x = (event.clientX - frame.left) * size, y = (event.clientY - frame.top) * size;
      let best = null, near = 30;
      for (const s of spots) { const d = Math.hypot(s.at[0] - x, s.at[1] - y); if (d < near) { near = d; best = s; } }
      if (!best) { hide(); return; }
      tip.style.display = "";
      text.textContent = best.tell(show(best.x), show(best.y));
      ring.setAttribute("cx", best.at[0]); ring.setAttribute("cy", best.at[1]);
      const right = best.at[0] > (p.box.left + p.box.right) / 2;
      text.setAttribute("text-anchor", right ? "end" : "start");
      text.setAttribute("x", best.at[0] + (right ? -9 : 9)); text.setAttribute("y", Math.max(best.at[1] - 9, p.box.top + 10));
    });
  }

  const target = document.querySelector("h1 em").textContent;
  let picked = run.chosen;

  function drawFront() {
    const place = document.getElementById("front-chart"), level = run.level;
    const xs = run.front.map((l) => l.complexity);
    const ys = run.front.map((l) => (fine(l.error) ? l.error || level : null));
    const zero = run.front.some((l) => l.error === 0) ? level : null;
    const p = plot(place, "Held-out error against complexity; each point is a formula that can be picked", xs, ys,
      { height: 300, x: { whole: true, name: "complexity" }, y: { log: level !== null, zero, name: "held-out error" } });
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

  // The slice's value at x, between its points: rows stand beside the curve by what it leaves of them.
  function between(xs, ys, x) {
    let k = xs.findIndex((v) => v >= x);
    if (k < 1) return k === 0 ? ys[0] : null;
    if (!fine(ys[k - 1]) || !fine(ys[k])) return null;
    return ys[k - 1] + ((ys[k] - ys[k - 1]) * (x - xs[k - 1])) / (xs[k] - xs[k - 1]);
  }

  function drawSlice(at, data, values) {
    const name = at.dataset.column, column = data.columns[name], [from, to] = run.ranges[name], measured = data.target;
    const [left, right] = data.spans[name], cut = data.slices[picked][name], log = (data.logs || []).includes(name);
    const xs = cut.map((_, i) => { const share = i / (cut.length - 1); return log ? left * (right / left) ** share : left + (right - left) * share; });
    const alone = Object.keys(data.columns).length === 1;
    const rows = alone ? measured : measured.map((y, i) => {
      const there = between(xs, cut, column[i]);
      return fine(there) && fine(values[i]) ? y - values[i] + there : y;
    });
    // A pole outside the data must not flatten the rest: at most one spread beyond the measured values.
    const least = Math.min(...rows), most = Math.max(...rows), logY = Boolean(data.log_target) && least > 0;
    const bottom = logY ? least / 1.5 : least - (most - least), top = most + (most - least);
    const seen = cut.map((y) => (fine(y) ? Math.min(Math.max(y, bottom), top) : null)).concat(rows);
    const p = plot(at, `${plain(target)} along ${plain(name)}; the data reach from ${show(from)} to ${show(to)}`, xs, seen,
      { height: at.classList.contains("tall") ? 360 : 270, x: { column: name, log, whole: counts(name) }, y: { column: target, log: logY } });
    p.svg.insertBefore(node("rect", { class: "shade", x: p.X(from), width: p.X(to) - p.X(from), y: p.box.top, height: p.box.bottom - p.box.top }), p.svg.firstChild);
    const step = (to - from) * 1e-9;
    const ends = (data.bands || [])[picked];
    if (ends && ends[name][0].every(fine)) {
      const clip = (y) => Math.min(Math.max(p.Y(Math.min(Math.max(y, bottom), top)), p.box.top), p.box.bottom);
      const path = ends[name][1].map((y, i) => `${p.X(xs[i])},${clip(y)}`)
        .concat(ends[name][0].map((y, i) => `${p.X(xs[i])},${clip(y)}`).reverse());
      node("polygon", { class: "band", points: path.join(" ") }, p.svg);
    }
    line(p, xs, cut, "outside", () => true);
    line(p, xs, cut, "inside", (x) => x >= from - step && x <= to + step);
    dots(p, column, rows, "measured");
    if (alone) dots(p, (data.outliers || []).map((o) => o[name]), (data.outliers || []).map((o) => o[""]), "off-row");
    hover(p, [{ xs: column, ys: rows, tell: (x, y) => `row: ${plain(name)} ${x}, ${plain(target)} ${y}` }, { xs, ys: cut, tell: (x, y) => `formula: ${plain(name)} ${x}, ${plain(target)} ${y}` }]);
  }

  function drawData() {
    const data = run.pictures;
    if (!data) return;
    const values = data.predicted[picked], measured = data.target, both = measured.concat(values).filter(fine);
    const log = Boolean(data.log_target) && both.every((v) => v > 0);
    let p = plot(document.getElementById("predicted"), `Predicted against measured ${plain(target)}, ${measured.length} rows`, both, both,
      { x: { column: target, said: ", measured", log }, y: { column: target, said: ", predicted", log } });
    const low = Math.min(...both), high = Math.max(...both);
    node("line", { class: "zero", x1: p.X(low), y1: p.Y(low), x2: p.X(high), y2: p.Y(high) }, p.svg);
    dots(p, measured, values, "dot");
    hover(p, [{ xs: measured, ys: values, tell: (x, y) => `measured ${x}, predicted ${y}` }]);
    const sigma = data.sigma, y = sigma ? { name: "residual / standard error" } : { column: target, said: ": measured − predicted" };
    const rest = measured.map((v, i) => (fine(values[i]) ? (v - values[i]) / (sigma ? sigma[i] : 1) : null));
    document.querySelectorAll(".residual").forEach((at) => {
      const name = at.dataset.column, xs = data.columns[name];
      p = plot(at, `Measured minus predicted ${plain(target)}${sigma ? " in standard errors" : ""} against ${plain(name)}`, xs,
        rest.concat(sigma ? [-2.5, 2.5] : [0]), { x: { column: name, log: (data.logs || []).includes(name), whole: counts(name) }, y });
      if (sigma) p.svg.insertBefore(node("rect", { class: "shade", x: p.box.left, width: p.box.right - p.box.left, y: p.Y(2), height: p.Y(-2) - p.Y(2) }), p.svg.firstChild);
      node("line", { class: "zero", x1: p.box.left, x2: p.box.right, y1: p.Y(0), y2: p.Y(0) }, p.svg);
      dots(p, xs, rest, "dot");
      hover(p, [{ xs, ys: rest, tell: (x, v) => `${plain(name)} ${x}: ${v}` }]);
    });
    document.querySelectorAll(".slice").forEach((at) => drawSlice(at, data, values));
  }

  function pick(row) {
    picked = row;
    document.querySelectorAll("main div[data-row], main figure[data-row]").forEach((part) => { part.hidden = Number(part.dataset.row) !== row; });
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
  document.querySelectorAll(".folded").forEach((part) => part.addEventListener("toggle", drawData));
  let drawn = window.innerWidth;
  window.addEventListener("resize", () => {
    if (window.innerWidth !== drawn) { drawn = window.innerWidth; drawFront(); pick(picked); }
  });
})();
