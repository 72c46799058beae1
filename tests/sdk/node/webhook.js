// Checks a delivery with both libraries that receivers use; prints which accept it as JSON.
// Usage: node webhook.js SECRET < {"headers": {...}, "body": "..."}
const { Webhook } = require('standardwebhooks');
const Stripe = require('stripe');

const [secret] = process.argv.slice(2);
const { headers, body } = JSON.parse(require('fs').readFileSync(0, 'utf8'));

function accepts(check) {
  try {
    return check().id;
  } catch (error) {
    return error.constructor.name;
  }
}

const stripe = new Stripe('sk_test_nobody');
console.log(
  JSON.stringify({
    stripe: accepts(() => stripe.webhooks.constructEvent(body, headers['stripe-signature'], secret)),
    standard: accepts(() => new Webhook(secret).verify(body, headers)),
  }),
);
