// A short life of payments through the official Go client; prints what came of it as JSON.
// Usage: life URL SECRET_KEY
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/customer"
	"github.com/stripe/stripe-go/v85/paymentintent"
	"github.com/stripe/stripe-go/v85/refund"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func refusal[T any](_ T, err error) map[string]any {
	var refused *stripe.Error
	if !errors.As(err, &refused) {
		fmt.Fprintln(os.Stderr, "nothing was refused", err)
		os.Exit(1)
	}
	return map[string]any{
		"type": refused.Type, "code": refused.Code, "param": refused.Param, "status": refused.HTTPStatusCode,
	}
}

func main() {
	stripe.Key = os.Args[2]
	stripe.DefaultLeveledLogger = &stripe.LeveledLogger{Level: stripe.LevelNull}
	stripe.SetBackend(stripe.APIBackend, stripe.GetBackendWithConfig(stripe.APIBackend, &stripe.BackendConfig{
		URL: stripe.String(os.Args[1]), MaxNetworkRetries: stripe.Int64(0),
	}))
	buyer := must(customer.New(&stripe.CustomerParams{Name: stripe.String("Ada")}))
	held := func(key string, method string) *stripe.PaymentIntentParams {
		params := &stripe.PaymentIntentParams{
			Amount: stripe.Int64(2000), Currency: stripe.String("usd"), Customer: stripe.String(buyer.ID),
			CaptureMethod: stripe.String("manual"), PaymentMethod: stripe.String(method),
		}
		params.SetIdempotencyKey(key)
		return params
	}
	created := must(paymentintent.New(held("go", "pm_card_visa")))
	again := must(paymentintent.New(held("go", "pm_card_visa")))
	confirmed := must(paymentintent.Confirm(created.ID, nil))
	captured := must(paymentintent.Capture(created.ID, &stripe.PaymentIntentCaptureParams{
		AmountToCapture: stripe.Int64(1500),
	}))
	back := must(refund.New(&stripe.RefundParams{
		PaymentIntent: stripe.String(created.ID), Amount: stripe.Int64(500),
	}))
	for range 3 {
		must(customer.New(&stripe.CustomerParams{}))
	}
	list := &stripe.CustomerListParams{}
	list.Limit = stripe.Int64(2)
	listed := 0
	walk := customer.List(list)
	for walk.Next() {
		listed++
	}
	must(0, walk.Err())
	declining := held("declined", "pm_card_chargeDeclined")
	declining.Confirm = stripe.Bool(true)
	wrong := held("wrong", "pm_card_visa")
	wrong.Amount = stripe.Int64(0)
	must(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"statuses":  []any{created.Status, confirmed.Status, captured.Status, back.Status},
		"received":  captured.AmountReceived,
		"same":      again.ID == created.ID,
		"replayed":  again.LastResponse.Header.Get("Idempotent-Replayed"),
		"listed":    listed,
		"declined":  refusal(paymentintent.New(declining)),
		"wrong":     refusal(paymentintent.New(wrong)),
		"mismatch":  refusal(paymentintent.New(held("go", "pm_card_amex"))),
		"missing":   refusal(customer.Get("cus_nobody", nil)),
	}))
}
