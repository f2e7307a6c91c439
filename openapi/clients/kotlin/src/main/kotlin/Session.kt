// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.
package example

import java.io.IOException
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import okhttp3.OkHttpClient
import okhttp3.Request
import okhttp3.Response
import parlor.apis.AccountsApi
import parlor.apis.MembersApi
import parlor.apis.MessagesApi
import parlor.apis.RoomsApi
import parlor.apis.SessionsApi
import parlor.infrastructure.ClientError
import parlor.infrastructure.ClientException
import parlor.infrastructure.Serializer
import parlor.infrastructure.ServerError
import parlor.infrastructure.ServerException
import parlor.models.LoginInput
import parlor.models.Problem
import parlor.models.RefreshInput
import parlor.models.SignIn

/** Somebody who is signed in. */
class Session private constructor(val url: String, @Volatile private var tokens: SignIn) {
    /** Sends as the person who signed in. */
    val http: OkHttpClient = OkHttpClient.Builder()
        .addInterceptor { chain -> chain.proceed(signed(chain.request())) }
        .authenticator { _, refused -> renewed(refused) }
        .build()
    val accounts = AccountsApi(url, http)
    val members = MembersApi(url, http)
    val messages = MessagesApi(url, http)
    val rooms = RoomsApi(url, http)
    val sessions = SessionsApi(url, http)

    /** How often the access token was renewed. */
    @Volatile
    var renewals = 0
        private set

    companion object {
        suspend fun signIn(url: String, username: String, password: String) =
            Session(url, SessionsApi(url).login(LoginInput(username, password)))
    }

    private fun signed(request: Request) =
        request.newBuilder().header("Authorization", "Bearer ${tokens.accessToken}").build()

    /** The request once more with a new token; null gives up, for the session is over: the 401 is the answer. */
    @Synchronized
    private fun renewed(refused: Response): Request? {
        if (refused.priorResponse != null) return null
        // Calls that meet a 401 at the same time share one renewal: a refresh token is good for one use.
        if (refused.request.header("Authorization") == "Bearer ${tokens.accessToken}") {
            try {
                tokens = runBlocking { refresh() }
            } catch (failure: ClientException) {
                if (failure.statusCode == 401) return null
                throw IOException(failure)
            } catch (failure: ServerException) {
                throw IOException(failure)
            }
            renewals += 1
        }
        return signed(refused.request)
    }

    private suspend fun refresh(): SignIn {
        val newest = RefreshInput(tokens.refreshToken)
        return try {
            SessionsApi(url).refresh(newest)
        } catch (refused: Exception) {
            // The server is too busy for now, and the refresh token is still good: try once more.
            delay(refused.retryAfter() ?: throw refused)
            SessionsApi(url).refresh(newest)
        }
    }
}

/** How long the server asks to wait before another try. */
fun Exception.retryAfter(): Duration? {
    val headers = when (this) {
        is ClientException -> (response as? ClientError<*>)?.headers
        is ServerException -> (response as? ServerError<*>)?.headers
        else -> null
    }
    return headers?.get("Retry-After")?.firstOrNull()?.toIntOrNull()?.seconds
}

/** What the server said was wrong. An answer of another kind, from a proxy perhaps, has no problem. */
fun ClientException.problem(): Problem? {
    val body = (response as? ClientError<*>)?.body as? String ?: return null
    return runCatching { Serializer.moshi.adapter(Problem::class.java).fromJson(body) }.getOrNull()
}
