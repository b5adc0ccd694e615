// The page's plain WebSocket, used by its form.

export async function stateBecomes(page, name, words) {
  await page.locator(`#state[data-state=${name}]`).waitFor({ timeout: 10_000 });
  const text = await page.locator('#state').textContent();
  if (!text.includes(words)) throw new Error(`the page says ${JSON.stringify(text)} and not ${JSON.stringify(words)}`);
}

/** The part of the page that has it. */
export const part = page => page.locator('#raw');

export async function connect(page, { url, protocols = '' } = {}) {
  if (url) await part(page).getByLabel('URL').fill(url);
  await part(page).getByLabel('Subprotocols').fill(protocols);
  await part(page).getByRole('button', { name: 'Connect', exact: true }).click();
}

/** Sends what the form describes and waits for the row of an echo that is equal: only that one has a round trip. */
export async function sendAndCompare(page, kind, field, value) {
  const before = await page.locator('#log .received').count();
  await part(page).getByRole('combobox', { name: 'Message' }).selectOption(kind);
  await part(page).getByLabel(field).fill(value);
  await part(page).getByRole('button', { name: 'Send', exact: true }).click();
  await page.waitForFunction(count => document.querySelectorAll('#log .received').length > count, before);
  const trip = await page.locator('#log .received .trip').first().textContent();
  if (!trip.endsWith(' ms')) throw new Error('what came back is not what was sent');
}
