// A line of an order fills itself in: the name and the last price of a known SKU, or the last price of a known name.

/**
 * What a known product fills into a line {sku, name, price} as typed: an object of the empty fields it knows, never one that has text. Never
 * the SKU: two may have the same name.
 * products are [{sku, name, prices: {CURRENCY: amount}}].
 */
export function filled(line, products, currency) {
  const product = products.find(({ sku, name }) => (line.sku ? sku === line.sku : name === line.name));
  if (!product) return {};
  const known = { name: product.name, price: product.prices[currency] };
  return Object.fromEntries(Object.entries(known).filter(([field, value]) => value && !line[field]));
}

/** Fills a line in when its SKU or name is left; what is filled in counts as typed. */
export function start(document) {
  const list = document.querySelector('[data-suggestions]');
  if (!list) return;
  const products = [...list.options].map(({ value, dataset }) => ({ sku: value, name: dataset.name, prices: JSON.parse(dataset.prices) }));

  document.addEventListener('change', ({ target }) => {
    if (!/(^|\.)(sku|name)$/.test(target.name ?? '') || !target.value.trim()) return;
    const scope = target.closest('[data-line]') ?? target.form;
    const fields = Object.fromEntries(['sku', 'name', 'price'].map((name) => [name, scope.querySelector(`[name="${name}"], [name$=".${name}"]`)]));
    if (!fields.price) return;
    const line = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()]));
    const currency = (list.dataset.currency ?? target.form.elements.namedItem('currency')?.value ?? '').trim().toUpperCase();
    for (const [name, value] of Object.entries(filled(line, products, currency))) {
      fields[name].value = value;
      fields[name].dispatchEvent(new Event('input', { bubbles: true }));
    }
  });
}
