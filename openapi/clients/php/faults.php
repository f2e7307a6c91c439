<?php
// What a caller sees when a request fails, whichever layer refuses it.
//
// Usage: php faults.php http://127.0.0.1:8080 BARE_URL, which is the address that ../bare.mjs prints.

declare(strict_types=1);

require __DIR__ . '/autoload.php';
require_once __DIR__ . '/Session.php';

use GuzzleHttp\Client;
use Parlor\Api\AccountsApi;
use Parlor\Api\SessionsApi;
use Parlor\ApiException;
use Parlor\Configuration;
use Parlor\Model\LoginInput;
use Parlor\Model\Registration;

[, $baseUrl, $bareUrl] = $argv;
$username = 'ada-' . bin2hex(random_bytes(4));
$at = fn (string $url) => new AccountsApi(new Client(), (new Configuration())->setHost($url));
$accounts = $at($baseUrl);
$sessions = new SessionsApi(new Client(), (new Configuration())->setHost($baseUrl));

/** Why a call was refused. */
function refusal(callable $call, mixed ...$arguments): ApiException
{
    try {
        $call(...$arguments);
    } catch (ApiException $refused) {
        return $refused;
    }
    throw new Exception('the call was not refused');
}

/** Compares the status and the code; the code is null where there is no problem. */
function check(ApiException $refused, int $status, ?string $code): void
{
    $given = [$refused->getCode(), problemOf($refused)?->getCode()];
    $given === [$status, $code] || throw new Exception("not [$status, $code], but " . json_encode($given));
}

$common = refusal($accounts->registerUser(...), new Registration(['username' => $username, 'password' => 'password1234']));
check($common, 422, 'password_too_common');
problemOf($common)->getErrors()[0]->getPointer() === '/password' || throw new Exception('the place is not named');
echo 'a rule: ', problemOf($common)->getTitle(), "\n";

$wrong = new LoginInput(['username' => $username, 'password' => 'not the right one']);
do {
    $tried = refusal($sessions->login(...), $wrong);
} while ($tried->getCode() === 401);
check($tried, 429, 'too_many_requests');
$seconds = retryAfter($tried->getResponseHeaders());
$seconds > 0 || throw new Exception('it does not say for how long to wait');
echo "a limit: wait for $seconds s\n";

check(refusal($accounts->getUser(...), str_repeat('a', 9_000)), 414, 'uri_too_long');
echo "a long address: the problem says so\n";
check(refusal($accounts->getUser(...), str_repeat('a', 20_000)), 431, null);
echo "one that is not even read: a status without a problem\n";

check(refusal($at("$baseUrl/elsewhere")->getUser(...), $username), 404, 'not_found');
echo "the wrong address: nothing is there\n";

foreach ([400, 414, 431] as $status) {
    check(refusal($at($bareUrl)->getUser(...), (string) $status), $status, null);
}
check(refusal($at($bareUrl)->getUser(...), '500'), 500, 'internal');
echo "an empty answer is its status; a server that broke is a problem\n";
