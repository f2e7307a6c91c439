// Two people in a room: everything that a client of Parlor needs, once. Its argument is the address of a server.
package example

import java.util.UUID
import kotlin.system.exitProcess
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.channels.ReceiveChannel
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.collect
import kotlinx.coroutines.flow.filter
import kotlinx.coroutines.flow.onEach
import kotlinx.coroutines.flow.produceIn
import kotlinx.coroutines.runBlocking
import parlor.apis.AccountsApi
import parlor.apis.ServerApi
import parlor.infrastructure.ClientException
import parlor.infrastructure.Success
import parlor.models.LogoutInput
import parlor.models.Message
import parlor.models.MessageInput
import parlor.models.Registration
import parlor.models.RoomInput
import parlor.models.StreamEvent

private const val PASSWORD = "correct horse battery staple"

fun main(arguments: Array<String>) {
    runBlocking(Dispatchers.Default) { tell(arguments.single()) }
    exitProcess(0) // without waiting for the idle connections of OkHttp
}

private suspend fun CoroutineScope.tell(url: String) {
    val server = ServerApi(url).getServer()
    println("${server.name} ${server.version}, registration: ${server.registration}")
    val unique = UUID.randomUUID().toString().take(8)
    for (username in listOf("ada-$unique", "grace-$unique")) {
        val user = AccountsApi(url).registerUser(Registration(username, PASSWORD))
        check(user.displayName == username)
        println("registered ${user.username} at ${user.createdAt}")
    }
    val ada = Session.signIn(url, "ada-$unique", PASSWORD)
    val grace = Session.signIn(url, "grace-$unique", PASSWORD)
    println("both are signed in")

    val made = ada.rooms.createRoom(RoomInput(name = "parlor-$unique", title = "An example"))
    val joined = grace.members.joinRoom(made.name)
    check(joined.user.username == "grace-$unique")
    println("grace joined ${made.name}")

    val room = made.id.toString()
    val greeting = MessageInput("Good morning!", clientId = unique)
    val (first, second) = List(2) { ada.messages.postMessageWithHttpInfo(room, greeting) as Success<Message?> }
    check(first.statusCode == 201 && second.statusCode == 200)
    check(first.data!!.id == second.data!!.id)
    println("posted once, though it was sent twice")

    suspend fun post(body: String) = grace.messages.postMessage(room, MessageInput(body))
    listOf("two", "three", "four", "five").forEach { post(it) }
    val newest = ada.messages.listMessages(room, limit = 2)
    val pages = mutableListOf(newest)
    while (true) {
        val before = pages.first().prevCursor ?: break
        pages.add(0, ada.messages.listMessages(room, before = before, limit = 2))
    }
    val history = pages.flatMap { it.items }
    check(history.map { it.body } == listOf("Good morning!", "two", "three", "four", "five"))
    println("read ${history.size} messages in ${pages.size} pages")

    try {
        ada.rooms.getRoom("no-$unique")
        error("a room that is not there is a problem")
    } catch (refused: ClientException) {
        val problem = checkNotNull(refused.problem())
        check(refused.statusCode == 404 && problem.status == 404)
        println("met the problem ${problem.code}: ${problem.title}")
    }

    var events = messages(ada, room, newest.cursor)
    check(post("six") == events.receive().message)
    val live = post("live")
    val seen = events.receive()
    check(seen.message == live)
    println("heard \"${live.body}\" as it was posted")

    events.cancel()
    val missed = listOf(post("seven"), post("eight"), post("nine"))
    events = messages(ada, room, seen.cursor!!)
    check(missed == missed.map { events.receive().message })
    check(post("ten") == events.receive().message) { "there is nothing after the three that were missed" }
    events.cancel()
    println("away for three messages, and got exactly these")

    val before = ada.renewals
    while (ada.renewals == before) {
        ada.accounts.getMe()
        delay(200)
    }
    println("the access token expired and was renewed")

    ada.sessions.logout(LogoutInput())
    val refused = runCatching { ada.accounts.getMe() }.exceptionOrNull()
    check((refused as? ClientException)?.statusCode == 401)
    val lost = runCatching { ada.follow(room).collect() }.exceptionOrNull()
    check((lost as? Lost)?.status == 401) { "nor do they hear anything" }
    println("signed out: the token is refused")
}

/** What is posted after a cursor; everything else that happens is passed over. Cancelling drops the connection. */
private fun CoroutineScope.messages(session: Session, room: String, after: String): ReceiveChannel<StreamEvent> =
    session.follow(room, after)
        .onEach { if (it.type == "reset") println("told to begin anew: ${it.reason}") }
        .filter { it.type == "message.posted" }
        .produceIn(this)
