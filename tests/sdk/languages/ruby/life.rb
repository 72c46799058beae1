# A short life of payments through the official Ruby client; prints what came of it as JSON.
# Usage: ruby life.rb URL SECRET_KEY
require 'json'
require 'stripe'

def refusal
  yield
  raise 'nothing was refused'
rescue Stripe::StripeError => e
  { type: e.error.type, code: e.code.to_s, param: (e.respond_to?(:param) ? e.param : nil).to_s, status: e.http_status }
end

Stripe.max_network_retries = 0
# The next page of a list is asked for at the module's address, not at the client's.
Stripe.api_base, Stripe.api_key = ARGV
client = Stripe::StripeClient.new(ARGV[1], api_base: ARGV[0])
intents = client.v1.payment_intents
buyer = client.v1.customers.create({ name: 'Ada' })
held = {
  amount: 2000, currency: 'usd', customer: buyer.id, capture_method: 'manual', payment_method: 'pm_card_visa'
}
keyed = { idempotency_key: 'ruby' }
created = intents.create(held, keyed)
again = intents.create(held, keyed)
confirmed = intents.confirm(created.id)
captured = intents.capture(created.id, { amount_to_capture: 1500 })
refund = client.v1.refunds.create({ payment_intent: created.id, amount: 500 })
3.times { client.v1.customers.create }
listed = client.v1.customers.list({ limit: 2 }).auto_paging_each.count
puts JSON.generate(
  statuses: [created, confirmed, captured, refund].map(&:status),
  received: captured.amount_received,
  same: again.id == created.id,
  replayed: again.last_response.http_headers['idempotent-replayed'],
  listed: listed,
  declined: refusal { intents.create(held.merge(payment_method: 'pm_card_chargeDeclined', confirm: true)) },
  wrong: refusal { intents.create(held.merge(amount: 0)) },
  mismatch: refusal { intents.create(held.merge(amount: 5), keyed) },
  missing: refusal { client.v1.customers.retrieve('cus_nobody') }
)
