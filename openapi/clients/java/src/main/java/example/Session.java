// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.
package example;

import com.fasterxml.jackson.core.JsonProcessingException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import parlor.ApiClient;
import parlor.ApiException;
import parlor.api.AccountsApi;
import parlor.api.MembersApi;
import parlor.api.MessagesApi;
import parlor.api.RoomsApi;
import parlor.api.SessionsApi;
import parlor.model.LoginInput;
import parlor.model.Problem;
import parlor.model.RefreshInput;
import parlor.model.SignIn;

/** Somebody who is signed in. */
final class Session {
  final String url;
  final AccountsApi accounts;
  final MembersApi members;
  final MessagesApi messages;
  final RoomsApi rooms;
  final SessionsApi sessions;
  private final SessionsApi anonymous;
  private SignIn tokens;
  private int renewals;

  Session(String url, String username, String password) throws ApiException {
    this.url = url;
    anonymous = new SessionsApi(client(url));
    tokens = anonymous.login(new LoginInput().username(username).password(password));
    ApiClient signed = client(url);
    signed.setRequestInterceptor(request -> request.setHeader("Authorization", "Bearer " + token()));
    accounts = new AccountsApi(signed);
    members = new MembersApi(signed);
    messages = new MessagesApi(signed);
    rooms = new RoomsApi(signed);
    sessions = new SessionsApi(signed);
  }

  static ApiClient client(String url) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(url);
    return client;
  }

  interface Call<T> {
    T send() throws ApiException;
  }

  /** What a call answers, sent a second time with a new token if the first one has expired. */
  <T> T call(Call<T> call) throws ApiException {
    String sent = token();
    try {
      return call.send();
    } catch (ApiException refused) {
      if (refused.getCode() != 401) throw refused;
      renew(sent);
      return call.send();
    }
  }

  synchronized String token() {
    return tokens.getAccessToken();
  }

  synchronized int renewals() {
    return renewals;
  }

  /** Calls that meet a 401 at the same time share one renewal: a refresh token is good for one use. */
  synchronized void renew(String refused) throws ApiException {
    if (!refused.equals(tokens.getAccessToken())) return;
    RefreshInput newest = new RefreshInput().refreshToken(tokens.getRefreshToken());
    try {
      tokens = anonymous.refresh(newest);
    } catch (ApiException busy) {
      if (retryAfter(busy) == 0) throw busy;
      // The server is too busy for now, and the refresh token is still good: try once more.
      sleep(retryAfter(busy), TimeUnit.SECONDS);
      tokens = anonymous.refresh(newest);
    }
    renewals++;
  }

  /** How many seconds the server asks to wait before another try. */
  private static long retryAfter(ApiException refused) {
    if (refused.getResponseHeaders() == null) return 0;
    return refused.getResponseHeaders().firstValue("Retry-After").map(Session::seconds).orElse(0L);
  }

  /** The seconds of a `Retry-After`; 0 for a date, as a proxy might send it. */
  static long seconds(String retryAfter) {
    return retryAfter.matches("\\d{1,9}") ? Long.parseLong(retryAfter) : 0;
  }

  /** Waits, unless the thread is told to stop. */
  static void sleep(long time, TimeUnit unit) {
    try {
      unit.sleep(time);
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  /** What the server said was wrong. An answer of another kind, from a proxy perhaps, has no problem. */
  static Optional<Problem> problem(ApiException refused) {
    if (refused.getResponseBody() == null) return Optional.empty();
    try {
      return Optional.of(ApiClient.createDefaultObjectMapper().readValue(refused.getResponseBody(), Problem.class));
    } catch (JsonProcessingException notOfThisApi) {
      return Optional.empty();
    }
  }
}
