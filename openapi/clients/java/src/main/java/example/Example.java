// Two people in a room: everything that a client of Parlor needs, once. Its argument is the address of a server.
package example;

import com.launchdarkly.eventsource.StreamHttpErrorException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import parlor.ApiException;
import parlor.ApiResponse;
import parlor.api.AccountsApi;
import parlor.api.ServerApi;
import parlor.model.LogoutInput;
import parlor.model.Member;
import parlor.model.Message;
import parlor.model.MessageInput;
import parlor.model.MessagePage;
import parlor.model.Problem;
import parlor.model.Registration;
import parlor.model.Room;
import parlor.model.RoomInput;
import parlor.model.ServerFacts;
import parlor.model.StreamEvent;
import parlor.model.User;

final class Example {
  private static final String PASSWORD = "correct horse battery staple";

  public static void main(String[] arguments) throws Exception {
    String url = arguments[0];
    String unique = UUID.randomUUID().toString().substring(0, 8);

    ServerFacts server = new ServerApi(Session.client(url)).getServer();
    System.out.println(server.getName() + " " + server.getVersion() + ", registration: " + server.getRegistration());
    AccountsApi anonymous = new AccountsApi(Session.client(url));
    for (String username : List.of("ada-" + unique, "grace-" + unique)) {
      User user = anonymous.registerUser(new Registration().username(username).password(PASSWORD));
      check(user.getDisplayName().equals(username), "a display name is the username if none is given");
      System.out.println("registered " + user.getUsername() + " at " + user.getCreatedAt());
    }
    Session ada = new Session(url, "ada-" + unique, PASSWORD);
    Session grace = new Session(url, "grace-" + unique, PASSWORD);
    System.out.println("both are signed in");

    RoomInput input = new RoomInput().name("parlor-" + unique).title("An example");
    Room made = ada.call(() -> ada.rooms.createRoom(input));
    Member joined = grace.call(() -> grace.members.joinRoom(made.getName()));
    check(joined.getUser().getUsername().equals("grace-" + unique), "who joins is the member");
    System.out.println("grace joined " + made.getName());

    String room = made.getId().toString();
    MessageInput greeting = new MessageInput().body("Good morning!").clientId(unique);
    ApiResponse<Message> first = ada.call(() -> ada.messages.postMessageWithHttpInfo(room, greeting));
    ApiResponse<Message> second = ada.call(() -> ada.messages.postMessageWithHttpInfo(room, greeting));
    check(first.getStatusCode() == 201 && second.getStatusCode() == 200, "the second is known to be a repeat");
    check(first.getData().getId().equals(second.getData().getId()), "a repeat is the same message");
    System.out.println("posted once, though it was sent twice");

    for (String body : List.of("two", "three", "four", "five")) post(grace, room, body);
    MessagePage newest = ada.call(() -> ada.messages.listMessages(room, null, null, null, 2));
    List<Message> history = new ArrayList<>(newest.getItems());
    int pages = 1;
    for (String before = newest.getPrevCursor(); before != null; pages++) {
      String cursor = before;
      MessagePage page = ada.call(() -> ada.messages.listMessages(room, cursor, null, null, 2));
      history.addAll(0, page.getItems());
      before = page.getPrevCursor();
    }
    List<String> bodies = history.stream().map(Message::getBody).toList();
    check(bodies.equals(List.of("Good morning!", "two", "three", "four", "five")), "history is complete: " + bodies);
    System.out.println("read " + history.size() + " messages in " + pages + " pages");

    try {
      ada.call(() -> ada.rooms.getRoom("no-" + unique));
      throw new AssertionError("a room that is not there is a problem");
    } catch (ApiException refused) {
      Problem problem = Session.problem(refused).orElseThrow();
      check(refused.getCode() == 404 && problem.getStatus() == 404, "its status is 404");
      System.out.println("met the problem " + problem.getCode() + ": " + problem.getTitle());
    }

    String seen;
    try (Follow events = new Follow(ada, room, newest.getCursor())) {
      Message posted = post(grace, room, "six");
      check(nextMessage(events).getMessage().equals(posted), "what was posted since the page is there");
      Message live = post(grace, room, "live");
      StreamEvent event = nextMessage(events);
      check(event.getMessage().equals(live), "what is posted comes live");
      seen = event.getCursor();
      System.out.println("heard \"" + live.getBody() + "\" as it was posted");
    }

    List<Message> missed = new ArrayList<>();
    for (String body : List.of("seven", "eight", "nine")) missed.add(post(grace, room, body));
    try (Follow events = new Follow(ada, room, seen)) {
      for (Message message : missed) {
        StreamEvent event = nextMessage(events);
        check(event.getMessage().equals(message) && event.getSeq().equals(message.getSeq()), "missed, in order");
      }
      Message ten = post(grace, room, "ten");
      check(nextMessage(events).getMessage().equals(ten), "there is nothing after the three that were missed");
    }
    System.out.println("away for three messages, and got exactly these");

    for (int before = ada.renewals(); ada.renewals() == before; Thread.sleep(200)) {
      ada.call(ada.accounts::getMe);
    }
    System.out.println("the access token expired and was renewed");

    ada.call(() -> ada.sessions.logoutWithHttpInfo(new LogoutInput()));
    try {
      ada.call(ada.accounts::getMe);
      throw new AssertionError("whoever signed out is not let in");
    } catch (ApiException refused) {
      check(refused.getCode() == 401, "the refresh token is refused as well");
    }
    try (Follow events = new Follow(ada, room, null)) {
      events.next();
      throw new AssertionError("nor do they hear anything");
    } catch (StreamHttpErrorException refused) {
      check(refused.getCode() == 401, "the stream ends for good");
    }
    System.out.println("signed out: the token is refused");
  }

  private static Message post(Session session, String room, String body) throws ApiException {
    return session.call(() -> session.messages.postMessage(room, new MessageInput().body(body)));
  }

  /** The next event that posts a message; everything else that happens is passed over. */
  private static StreamEvent nextMessage(Follow events) throws Exception {
    for (;;) {
      StreamEvent event = events.next().orElseThrow();
      if (event.getType().equals("message.posted")) return event;
      if (event.getType().equals("reset")) System.out.println("told to begin anew: " + event.getReason());
    }
  }

  private static void check(boolean holds, String claim) {
    if (!holds) throw new AssertionError("not so: " + claim);
  }
}
