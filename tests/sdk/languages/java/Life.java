// A short life of payments through the official Java client; prints what came of it as JSON.
// Usage: java Life.java URL SECRET_KEY
import com.google.gson.Gson;
import com.stripe.StripeClient;
import com.stripe.exception.StripeException;
import com.stripe.model.Customer;
import com.stripe.model.PaymentIntent;
import com.stripe.net.RequestOptions;
import com.stripe.param.CustomerCreateParams;
import com.stripe.param.CustomerListParams;
import com.stripe.param.PaymentIntentCaptureParams;
import com.stripe.param.PaymentIntentCreateParams;
import com.stripe.param.RefundCreateParams;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;

public class Life {
  static Map<String, Object> refusal(Callable<?> call) throws Exception {
    try {
      call.call();
    } catch (StripeException refused) {
      Map<String, Object> told = new TreeMap<>();
      told.put("type", refused.getStripeError().getType());
      told.put("code", refused.getCode());
      told.put("param", refused.getStripeError().getParam());
      told.put("status", refused.getStatusCode());
      return told;
    }
    throw new IllegalStateException("nothing was refused");
  }

  static PaymentIntentCreateParams.Builder held(Customer buyer, String method) {
    return PaymentIntentCreateParams.builder().setAmount(2000L).setCurrency("usd").setCustomer(buyer.getId())
        .setCaptureMethod(PaymentIntentCreateParams.CaptureMethod.MANUAL).setPaymentMethod(method);
  }

  static RequestOptions keyed(String key) {
    return RequestOptions.builder().setIdempotencyKey(key).build();
  }

  public static void main(String[] arguments) throws Exception {
    StripeClient.StripeClientBuilder made = StripeClient.builder().setApiKey(arguments[1]);
    var client = made.setApiBase(arguments[0]).setMaxNetworkRetries(0).build().v1();
    var intents = client.paymentIntents();
    Customer buyer = client.customers().create(CustomerCreateParams.builder().setName("Ada").build());
    PaymentIntent created = intents.create(held(buyer, "pm_card_visa").build(), keyed("java"));
    PaymentIntent again = intents.create(held(buyer, "pm_card_visa").build(), keyed("java"));
    PaymentIntent confirmed = intents.confirm(created.getId());
    PaymentIntent captured = intents.capture(
        created.getId(), PaymentIntentCaptureParams.builder().setAmountToCapture(1500L).build());
    var refund = client.refunds().create(
        RefundCreateParams.builder().setPaymentIntent(created.getId()).setAmount(500L).build());
    for (int number = 0; number < 3; number++) {
      client.customers().create(CustomerCreateParams.builder().build());
    }
    int listed = 0;
    for (Customer one : client.customers().list(CustomerListParams.builder().setLimit(2L).build()).autoPagingIterable()) {
      listed++;
    }
    Map<String, Object> told = new TreeMap<>();
    told.put("statuses", List.of(
        created.getStatus(), confirmed.getStatus(), captured.getStatus(), refund.getStatus()));
    told.put("received", captured.getAmountReceived());
    told.put("same", again.getId().equals(created.getId()));
    told.put("replayed", again.getLastResponse().headers().firstValue("Idempotent-Replayed").orElse(""));
    told.put("listed", listed);
    told.put("declined", refusal(() -> intents.create(
        held(buyer, "pm_card_chargeDeclined").setConfirm(true).build())));
    told.put("wrong", refusal(() -> intents.create(held(buyer, "pm_card_visa").setAmount(0L).build())));
    told.put("mismatch", refusal(() -> intents.create(held(buyer, "pm_card_amex").build(), keyed("java"))));
    told.put("missing", refusal(() -> client.customers().retrieve("cus_nobody")));
    System.out.println(new Gson().toJson(told));
  }
}
