// A short life of payments through the official Node client; prints what came of it as JSON.
// Usage: node life.js URL SECRET_KEY [PACKAGE]
const [url, key, release = 'stripe'] = process.argv.slice(2);
const Stripe = require(release);

async function refusal(promise) {
  try {
    await promise;
  } catch (error) {
    return {
      type: error.type,
      code: error.code,
      decline_code: error.decline_code,
      param: error.param,
      status: error.statusCode,
      payment_intent: error.payment_intent && error.payment_intent.status,
    };
  }
  throw new Error('nothing was refused');
}

async function live(stripe) {
  const customer = await stripe.customers.create({ name: 'Ada', metadata: { order: '1' } });
  const payment = { amount: 1999, currency: 'usd', payment_method: 'pm_card_visa', confirm: true };
  const paid = await stripe.paymentIntents.create(
    { ...payment, customer: customer.id, expand: ['latest_charge.balance_transaction'] },
    { idempotencyKey: 'node' },
  );
  const again = await stripe.paymentIntents.create(
    { ...payment, customer: customer.id, expand: ['latest_charge.balance_transaction'] },
    { idempotencyKey: 'node' },
  );
  const held = await stripe.paymentIntents.create({ ...payment, capture_method: 'manual' });
  const captured = await stripe.paymentIntents.capture(held.id, { amount_to_capture: 1500 });
  const refund = await stripe.refunds.create({ payment_intent: captured.id, amount: 500 });
  const amounts = [];
  for await (const intent of stripe.paymentIntents.list({ limit: 1 })) {
    amounts.push(intent.amount_received);
  }
  const balance = await stripe.balance.retrieve();
  return {
    paid: paid.status,
    same: paid.id === again.id,
    replayed: again.lastResponse.headers['idempotent-replayed'],
    net: paid.latest_charge.balance_transaction.net,
    captured: captured.amount_received,
    refund: refund.status,
    amounts,
    pending: balance.pending,
    declined: await refusal(stripe.paymentIntents.create({ ...payment, payment_method: 'pm_card_chargeDeclined' })),
    mismatch: await refusal(stripe.paymentIntents.create({ ...payment, amount: 5 }, { idempotencyKey: 'node' })),
    wrong: await refusal(stripe.paymentIntents.create({ ...payment, amount: 0 })),
    missing: await refusal(stripe.customers.retrieve('cus_nobody')),
    deleted: (await stripe.customers.del(customer.id)).deleted,
  };
}

const place = new URL(url);
live(new Stripe(key, {
  host: place.hostname, port: place.port, protocol: 'http', maxNetworkRetries: 0, telemetry: false,
})).then(
  (result) => console.log(JSON.stringify(result)),
  (error) => { console.error(error); process.exitCode = 1; },
);
