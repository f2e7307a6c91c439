// Owns following a room: one endless series of events over as many connections as it takes.
package example

import java.io.IOException
import kotlin.random.Random
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.channels.trySendBlocking
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.flow
import okhttp3.HttpUrl.Companion.toHttpUrl
import okhttp3.Request
import okhttp3.Response
import okhttp3.sse.EventSource
import okhttp3.sse.EventSourceListener
import okhttp3.sse.EventSources
import parlor.infrastructure.Serializer
import parlor.models.StreamEvent

private val SHORTEST_WAIT = 3.seconds
private val LONGEST_WAIT = 30.seconds
/** How long the first connection may be silent: longer than any heartbeat. `hello` tells how long the next ones may be. */
private val FIRST_PATIENCE = 120.seconds

/** A connection that did not come about, or broke; [status] is the server's answer, if there was one. */
class Lost(val status: Int?, val retryAfter: Duration?, cause: Throwable?) :
    IOException("the stream is lost: ${status ?: cause}", cause) {
    /** A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room. */
    val isFinal = status != null && status in 400..499 && status != 429
}

/**
 * The events of a room after a cursor, from now without one. A `reset` among them says that some cannot be had any more:
 * fetch what you show anew. It ends when the server says not to come back, and fails if it does not let us in.
 */
fun Session.follow(room: String, after: String? = null): Flow<StreamEvent> = flow {
    var cursor = after
    var backoff = SHORTEST_WAIT
    var patience = FIRST_PATIENCE
    while (true) {
        var bye: StreamEvent? = null
        var leastWait = Duration.ZERO
        try {
            connection(room, cursor, patience).collect { frame ->
                cursor = frame.id ?: cursor
                backoff = SHORTEST_WAIT
                // A ping comes when nothing else does: a connection that is silent for twice as long is dead.
                frame.event.heartbeatSeconds?.let { patience = it.seconds * 2 }
                when (frame.name) {
                    null, "reset" -> emit(frame.event)
                    "bye" -> bye = frame.event
                }
            }
        } catch (lost: Lost) {
            if (lost.isFinal) throw lost
            leastWait = lost.retryAfter ?: leastWait
        }
        // The wait is random in part: after a restart not all readers should come back at the same moment.
        val wait = bye?.let { it.retrySeconds?.seconds ?: return@flow }
        delay(wait ?: maxOf(backoff * Random.nextDouble(0.5, 1.0), leastWait))
        if (wait == null) backoff = minOf(backoff * 2, LONGEST_WAIT)
    }
}

private class Frame(val id: String?, val name: String?, val event: StreamEvent)

/** One connection: it ends when the server ends it, and is dropped when nobody collects it any more. */
private fun Session.connection(room: String, after: String?, patience: Duration): Flow<Frame> = callbackFlow {
    val address = "$url/v1/rooms/$room/events".toHttpUrl().newBuilder()
    if (after != null) address.addQueryParameter("after", after)
    val events = Serializer.moshi.adapter(StreamEvent::class.java)
    val listener = object : EventSourceListener() {
        override fun onEvent(eventSource: EventSource, id: String?, type: String?, data: String) {
            trySendBlocking(Frame(id, type, events.fromJson(data)!!))
        }

        override fun onClosed(eventSource: EventSource) {
            close()
        }

        override fun onFailure(eventSource: EventSource, t: Throwable?, response: Response?) {
            close(Lost(response?.code, response?.header("Retry-After")?.toIntOrNull()?.seconds, t))
        }
    }
    val patient = http.newBuilder().readTimeout(patience).build()
    val source = EventSources.createFactory(patient).newEventSource(Request(address.build()), listener)
    awaitClose { source.cancel() }
}
