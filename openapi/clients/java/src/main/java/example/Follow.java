// Owns following a room: one endless series of events over as many connections as it takes.
package example;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.launchdarkly.eventsource.ConnectStrategy;
import com.launchdarkly.eventsource.ErrorStrategy;
import com.launchdarkly.eventsource.EventSource;
import com.launchdarkly.eventsource.MessageEvent;
import com.launchdarkly.eventsource.StreamException;
import com.launchdarkly.eventsource.StreamHttpErrorException;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import okhttp3.Interceptor;
import okhttp3.Request;
import okhttp3.Response;
import parlor.ApiClient;
import parlor.ApiException;
import parlor.model.StreamEvent;

/**
 * The events of a room after a cursor, from now without one (null). A reset among them says that some cannot be had any
 * more: fetch what you show anew.
 */
final class Follow implements Closeable {
  private static final int FIRST_PATIENCE_SECONDS = 120;

  private final ObjectMapper json = ApiClient.createDefaultObjectMapper();
  private final Session session;
  private final EventSource source;
  private volatile Response answer;
  /** How long a connection may be silent: as long as for the first one, until hello has told of its heartbeat. */
  private volatile int patienceSeconds = FIRST_PATIENCE_SECONDS;
  /** In ms of the clock. The library knows only the server's `retry`, and may wait for less time than the server asked for. */
  private volatile long notBefore;

  Follow(Session session, String room, String after) {
    this.session = session;
    URI uri = URI.create(session.url + "/v1/rooms/" + room + "/events");
    // It remembers the cursor, which is the id of each frame, and comes back after the server's `retry`, with backoff
    // up to 30 seconds and jitter.
    source = new EventSource.Builder(ConnectStrategy.http(uri)
            .requestTransformer(request -> signed(request, session.token()))
            .clientBuilderActions(client -> client
                .authenticator((route, refused) -> renewed(refused))
                .addInterceptor(this::connect)))
        .lastEventId(after)
        .errorStrategy(new Patient())
        .build();
  }

  /** The next event; none when the server says not to come back. */
  Optional<StreamEvent> next() throws StreamException, JsonProcessingException {
    for (;;) {
      MessageEvent frame = source.readMessage();
      StreamEvent event = json.readValue(frame.getData(), StreamEvent.class);
      // A ping comes when nothing else does: a connection that is silent for twice as long is dead.
      if (event.getHeartbeatSeconds() != null) patienceSeconds = 2 * event.getHeartbeatSeconds();
      switch (frame.getEventName()) {
        case "message", "reset" -> {
          return Optional.of(event);
        }
        case "bye" -> {
          if (event.getRetrySeconds() == null) {
            close();
            return Optional.empty();
          }
          notBefore = System.currentTimeMillis() + 1000L * event.getRetrySeconds();
        }
        default -> {} // hello and ping ask for nothing, and what a later version adds is passed over.
      }
    }
  }

  @Override
  public void close() {
    source.close();
    // It cancels the call, but OkHttp wants the body closed as well.
    if (answer != null) answer.close();
  }

  private Response connect(Interceptor.Chain chain) throws IOException {
    Session.sleep(notBefore - System.currentTimeMillis(), TimeUnit.MILLISECONDS);
    // A `retry` of 0 is for once: nobody asks more often than each second.
    notBefore = System.currentTimeMillis() + 1000;
    answer = chain.withReadTimeout(patienceSeconds, TimeUnit.SECONDS).proceed(chain.request());
    String retryAfter = answer.header("Retry-After");
    if (retryAfter != null) notBefore = System.currentTimeMillis() + 1000 * Session.seconds(retryAfter);
    return answer;
  }

  private static Request signed(Request request, String token) {
    return request.newBuilder().header("Authorization", "Bearer " + token).build();
  }

  /** The request once more with a new token; null gives up, for the session is over. */
  private Request renewed(Response refused) throws IOException {
    String sent = refused.request().header("Authorization").substring("Bearer ".length());
    if (refused.priorResponse() != null) return null;
    try {
      session.renew(sent);
      return signed(refused.request(), session.token());
    } catch (ApiException failure) {
      if (failure.getCode() == 401) return null;
      throw new IOException(failure);
    }
  }

  /** Comes back unless the server said what will not change: 401 after a renewal, 403, 404. */
  private static final class Patient extends ErrorStrategy {
    @Override
    public Result apply(StreamException failure) {
      boolean over = failure instanceof StreamHttpErrorException answer
          && answer.getCode() < 500 && answer.getCode() != 429;
      return new Result(over ? Action.THROW : Action.CONTINUE, this);
    }
  }
}
