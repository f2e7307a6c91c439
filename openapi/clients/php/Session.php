<?php
// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.

declare(strict_types=1);

use GuzzleHttp\Client;
use GuzzleHttp\HandlerStack;
use Parlor\Api\SessionsApi;
use Parlor\ApiException;
use Parlor\Configuration;
use Parlor\Model\LoginInput;
use Parlor\Model\Problem;
use Parlor\Model\RefreshInput;
use Parlor\Model\SignIn;
use Psr\Http\Message\RequestInterface;
use Psr\Http\Message\ResponseInterface;

/** Somebody who signed in: operations that are given this client and configuration are called as them. */
final class Session
{
    public readonly Client $http;
    public readonly Configuration $configuration;
    public int $renewals = 0;
    private SessionsApi $anonymous;
    private SignIn $tokens;

    public function __construct(string $baseUrl, string $username, string $password)
    {
        $this->configuration = (new Configuration())->setHost($baseUrl);
        $this->anonymous = new SessionsApi(new Client(), $this->configuration);
        $this->tokens = $this->anonymous->login(new LoginInput(['username' => $username, 'password' => $password]));
        $stack = HandlerStack::create();
        $stack->push(fn (callable $next) => fn (RequestInterface $request, array $options) => $this->send($next, $request, $options));
        $this->http = new Client(['handler' => $stack]);
    }

    private function send(callable $next, RequestInterface $request, array $options): mixed
    {
        $sent = $this->tokens->getAccessToken();
        $signed = fn () => $request->withHeader('Authorization', "Bearer {$this->tokens->getAccessToken()}");
        return $next($signed(), $options)->then(function (ResponseInterface $response) use ($next, $signed, $options, $sent) {
            if ($response->getStatusCode() !== 401) {
                return $response;
            }
            $this->renew($sent);
            return $next($signed(), $options);
        });
    }

    private function renew(string $refused): void
    {
        // Of several requests that met a 401 at the same time only the first renews: a refresh token is good for one use.
        if ($this->tokens->getAccessToken() !== $refused) {
            return;
        }
        $newest = new RefreshInput(['refresh_token' => $this->tokens->getRefreshToken()]);
        try {
            $this->tokens = $this->anonymous->refresh($newest);
        } catch (ApiException $busy) {
            if (retryAfter($busy->getResponseHeaders()) === 0) {
                throw $busy;
            }
            // The server is too busy for now, and the refresh token is still good: try once more.
            sleep(retryAfter($busy->getResponseHeaders()));
            $this->tokens = $this->anonymous->refresh($newest);
        }
        $this->renewals++;
    }
}

/** Why a request was refused. An answer that is not of this API, from a proxy perhaps, has no problem. */
function problemOf(ApiException $refused): ?Problem
{
    $problem = $refused->getResponseObject();
    return $problem instanceof Problem && $problem->getCode() !== null ? $problem : null;
}

/** How many seconds the server asks to wait before another try. */
function retryAfter(?array $headers): int
{
    return (int) (array_change_key_case($headers ?? [])['retry-after'][0] ?? 0);
}
