<?php
// A short life of payments through the official PHP client; prints what came of it as JSON.
// Usage: php life.php AUTOLOADER URL SECRET_KEY
require $argv[1];

function refusal(callable $call): array
{
    try {
        $call();
    } catch (\Stripe\Exception\ApiErrorException $refused) {
        $error = $refused->getError();
        return [
            'type' => $error->type,
            'code' => $error->code ?? '',
            'param' => $error->param ?? '',
            'status' => $refused->getHttpStatus(),
        ];
    }
    throw new Exception('nothing was refused');
}

// The next page of a list is asked for at the library's address, not at the client's.
\Stripe\Stripe::$apiBase = $argv[2];
$client = new \Stripe\StripeClient(['api_key' => $argv[3], 'api_base' => $argv[2], 'max_network_retries' => 0]);
$intents = $client->paymentIntents;
$buyer = $client->customers->create(['name' => 'Ada']);
$held = [
    'amount' => 2000,
    'currency' => 'usd',
    'customer' => $buyer->id,
    'capture_method' => 'manual',
    'payment_method' => 'pm_card_visa',
];
$keyed = ['idempotency_key' => 'php'];
$created = $intents->create($held, $keyed);
$again = $intents->create($held, $keyed);
$confirmed = $intents->confirm($created->id);
$captured = $intents->capture($created->id, ['amount_to_capture' => 1500]);
$refund = $client->refunds->create(['payment_intent' => $created->id, 'amount' => 500]);
for ($number = 0; $number < 3; $number++) {
    $client->customers->create();
}
$listed = 0;
foreach ($client->customers->all(['limit' => 2])->autoPagingIterator() as $one) {
    $listed++;
}
$declined = ['payment_method' => 'pm_card_chargeDeclined', 'confirm' => true];
echo json_encode([
    'statuses' => [$created->status, $confirmed->status, $captured->status, $refund->status],
    'received' => $captured->amount_received,
    'same' => $again->id === $created->id,
    'replayed' => $again->getLastResponse()->headers['Idempotent-Replayed'],
    'listed' => $listed,
    'declined' => refusal(fn () => $intents->create(array_merge($held, $declined))),
    'wrong' => refusal(fn () => $intents->create(array_merge($held, ['amount' => 0]))),
    'mismatch' => refusal(fn () => $intents->create(array_merge($held, ['amount' => 5]), $keyed)),
    'missing' => refusal(fn () => $client->customers->retrieve('cus_nobody')),
]);
