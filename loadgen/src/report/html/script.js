// Values at the pointer, or at a place that arrow keys choose.
for (const figure of document.querySelectorAll('.plot')) {
  const { at, x, names, values } = JSON.parse(figure.querySelector('script').textContent);
  const area = figure.querySelector('.area');
  const cursor = area.querySelector('.cursor');
  const reading = area.querySelector('.reading');
  let shown = at.length - 1;

  const row = (className, text) => {
    const element = document.createElement('span');
    element.className = className;
    element.textContent = text;
    return element;
  };

  const show = index => {
    shown = Math.min(Math.max(index, 0), at.length - 1);
    const rows = names.map((name, line) => [name, line, values[line][shown]]).filter(([, , value]) => value !== null);
    reading.replaceChildren(row('where', x[shown]),
      ...rows.map(([name, line, value]) => row(`key line-${line}`, `${name} ${value}`)));
    cursor.hidden = reading.hidden = false;
    cursor.style.left = `${at[shown] * 100}%`;
    // Beside the cursor, on the side that has more room.
    const isRight = at[shown] > 0.5;
    reading.style.left = isRight ? 'auto' : `calc(${at[shown] * 100}% + .6rem)`;
    reading.style.right = isRight ? `calc(${100 - at[shown] * 100}% + .6rem)` : 'auto';
  };

  const hide = () => {
    cursor.hidden = reading.hidden = true;
  };

  const nearest = share => at.reduce((best, place, index) =>
    Math.abs(place - share) < Math.abs(at[best] - share) ? index : best, 0);

  const follow = event => {
    const box = area.getBoundingClientRect();
    show(nearest((event.clientX - box.left) / box.width));
  };
  area.addEventListener('pointerdown', follow);
  area.addEventListener('pointermove', follow);
  area.addEventListener('pointerleave', hide);
  area.addEventListener('blur', hide);
  area.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -at.length, End: at.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(shown + step);
  });
}
