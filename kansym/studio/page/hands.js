// What is drawn anew keeps the hand that is on it: focus, unfinished text, and a press begun before.
// The page leaves the former picture (.past) hidden beside the new one for a moment.
(() => {
  const PARTS = 'button, select, input, textarea, summary, [tabindex], [data-edge], tr[data-row]';
  const FAR = 20; // pixels that a finger may stray without taking its press back
  let focused = null, unfinished = false, pressed = null;

  const shown = element => element.isConnected && element.checkVisibility();
  const word = element => element.getAttribute('aria-label') || element.textContent.trim();

  function twin(element) {
    let past = element.closest('.past');
    for (let outer = past; outer; outer = outer.parentElement?.closest('.past')) past = outer;
    const now = past && past.parentElement && past.parentElement.lastElementChild;
    if (!now) return null;
    const alike = box => [...box.querySelectorAll(PARTS)].filter(e => e.tagName === element.tagName);
    const [before, after] = [alike(past), alike(now)];
    return after.find(e => word(e) && word(e) === word(element)) || after[before.indexOf(element)] || null;
  }

  addEventListener('focusin', event => { focused = event.target; unfinished = false; });
  addEventListener('input', () => { unfinished = true; });
  addEventListener('change', () => { unfinished = false; });
  addEventListener('pointerdown', event => {
    const found = event.target.closest(PARTS);
    pressed = found && { found, x: event.clientX, y: event.clientY };
  }, true);
  addEventListener('pointerup', event => {
    const before = pressed;
    pressed = null;
    if (!before || !before.found.isConnected || shown(before.found)) return;
    if (Math.hypot(event.clientX - before.x, event.clientY - before.y) > FAR) return;
    before.found.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  }, true);
  new MutationObserver(() => {
    if (!focused || shown(focused) || ![document.body, focused].includes(document.activeElement)) return;
    const [before, after] = [focused, twin(focused)];
    if (!after || !shown(after)) return;
    const typed = unfinished && 'value' in before && before.type !== 'range' ? before.value : null;
    after.focus({ preventScroll: true });
    if (typed === null) return;
    after.value = typed;
    unfinished = true;
  }).observe(document, { subtree: true, childList: true });
})();
