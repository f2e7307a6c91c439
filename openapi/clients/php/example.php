<?php
// Two people in a room: everything that a client of Parlor needs, once. Usage: php example.php http://127.0.0.1:8080

declare(strict_types=1);

require __DIR__ . '/autoload.php';

use GuzzleHttp\Client;
use Parlor\Api\AccountsApi;
use Parlor\Api\MembersApi;
use Parlor\Api\MessagesApi;
use Parlor\Api\RoomsApi;
use Parlor\Api\ServerApi;
use Parlor\Api\SessionsApi;
use Parlor\ApiException;
use Parlor\Configuration;
use Parlor\Model\Message;
use Parlor\Model\MessageInput;
use Parlor\Model\Registration;
use Parlor\Model\RoomInput;

[, $baseUrl] = $argv;
$password = 'correct horse battery staple';
$unique = bin2hex(random_bytes(4));

function check(bool $holds, string $claim): void
{
    $holds || throw new Exception("not so: $claim");
}

/** The next message that somebody posts, and its cursor; everything else that happens is passed over. */
function nextMessage(Follow $events): array
{
    while ($event = $events->next()) {
        if ($event->getType() === 'message.posted') {
            return [$event->getMessage(), $event->getCursor()];
        }
        if ($event->getType() === 'reset') {
            echo "told to begin anew: {$event->getReason()}\n";
        }
    }
    throw new Exception('the stream is over');
}

/** The status with which a call is refused. */
function refusal(callable $call): ApiException
{
    try {
        $call();
    } catch (ApiException $refused) {
        return $refused;
    }
    throw new Exception('the call was not refused');
}

$configuration = (new Configuration())->setHost($baseUrl);
$server = (new ServerApi(new Client(), $configuration))->getServer();
echo "{$server->getName()} {$server->getVersion()}, registration: {$server->getRegistration()}\n";
foreach (["ada-$unique", "grace-$unique"] as $username) {
    $registration = new Registration(['username' => $username, 'password' => $password]);
    $user = (new AccountsApi(new Client(), $configuration))->registerUser($registration);
    check($user->getDisplayName() === $username, 'the display name is the username');
    echo "registered {$user->getUsername()} at {$user->getCreatedAt()->format('H:i:s')}\n";
}
$ada = new Session($baseUrl, "ada-$unique", $password);
$grace = new Session($baseUrl, "grace-$unique", $password);
echo "both are signed in\n";

$rooms = new RoomsApi($ada->http, $ada->configuration);
$room = $rooms->createRoom(new RoomInput(['name' => "parlor-$unique", 'title' => 'An example']));
$joined = (new MembersApi($grace->http, $grace->configuration))->joinRoom("parlor-$unique");
check($joined->getUser()->getUsername() === "grace-$unique", 'grace is in the room');
echo "grace joined {$room->getName()}\n";

$here = $room->getId();
$messages = new MessagesApi($ada->http, $ada->configuration);
$greeting = new MessageInput(['body' => 'Good morning!', 'client_id' => $unique]);
[$first, $firstStatus] = $messages->postMessageWithHttpInfo($here, $greeting);
[$second, $secondStatus] = $messages->postMessageWithHttpInfo($here, $greeting);
check([$firstStatus, $secondStatus] === [201, 200], 'the second is a repeat');
check($first->getId() === $second->getId(), 'both are one message');
echo "posted once, though it was sent twice\n";

$asGrace = new MessagesApi($grace->http, $grace->configuration);
$post = fn (string $text): Message => $asGrace->postMessage($here, new MessageInput(['body' => $text]));
array_map($post, ['two', 'three', 'four', 'five']);
$page = $messages->listMessages($here, limit: 2);
$cursor = $page->getCursor();
[$history, $pages] = [$page->getItems(), 1];
while ($page->getPrevCursor() !== null) {
    $page = $messages->listMessages($here, before: $page->getPrevCursor(), limit: 2);
    $history = [...$page->getItems(), ...$history];
    $pages++;
}
$bodies = array_map(fn (Message $message) => $message->getBody(), $history);
check($bodies === ['Good morning!', 'two', 'three', 'four', 'five'], 'the history is whole');
echo 'read ', count($history), " messages in $pages pages\n";

$refused = refusal(fn () => $rooms->getRoom("no-$unique"));
$problem = problemOf($refused);
check($problem?->getStatus() === 404 && $refused->getCode() === 404, 'the room is not there');
echo "met the problem {$problem->getCode()}: {$problem->getTitle()}\n";

$live = new Follow($ada, $here, $cursor);
$six = $post('six');
[$heard] = nextMessage($live);
check($heard->getId() === $six->getId(), 'what was posted since the page is there, and the stream is open');
$post('live');
[$heard, $seen] = nextMessage($live);
check($heard->getBody() === 'live', 'the next post comes next');
echo "heard \"{$heard->getBody()}\" as it was posted\n";

$live->close();
$missed = array_map($post, ['seven', 'eight', 'nine']);
$resumed = new Follow($ada, $here, $seen);
foreach ($missed as $message) {
    [$got] = nextMessage($resumed);
    check([$got->getId(), $got->getSeq()] === [$message->getId(), $message->getSeq()], 'the missed ones come in their order');
}
$post('ten');
[$heard] = nextMessage($resumed);
check($heard->getBody() === 'ten', 'there is nothing after the three that were missed');
$resumed->close();
echo "away for three messages, and got exactly these\n";

$accounts = new AccountsApi($ada->http, $ada->configuration);
for ($before = $ada->renewals; $ada->renewals === $before; usleep(200_000)) {
    $accounts->getMe();
}
echo "the access token expired and was renewed\n";

(new SessionsApi($ada->http, $ada->configuration))->logout();
check(refusal(fn () => $accounts->getMe())->getCode() === 401, 'the token is refused');
check(refusal(fn () => (new Follow($ada, $here))->next())->getCode() === 401, 'the stream is refused');
echo "signed out: the token is refused\n";
