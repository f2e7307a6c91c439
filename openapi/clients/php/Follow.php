<?php
// Owns following a room: one endless series of events over as many connections as it takes.

declare(strict_types=1);

use GuzzleHttp\Exception\BadResponseException;
use GuzzleHttp\Exception\GuzzleException;
use Parlor\Api\EventsApi;
use Parlor\ApiException;
use Parlor\Model\StreamEvent;
use Parlor\ObjectSerializer;

final class Follow
{
    private const LONGEST_WAIT = 30.0;
    /** Seconds that a connection may be silent before `hello` has told how often the server gives a sign of life. */
    private const FIRST_PATIENCE = 120;

    private float $retry = 3.0;
    private int $failures = 0;
    private int $patience = self::FIRST_PATIENCE;
    /** The seconds to wait before the next connection, where they are known. */
    private ?float $wait = 0.0;
    private bool $isOver = false;
    /** @var resource|null */
    private $connection = null;

    /** The events of a room after a cursor, from now without one. */
    public function __construct(private Session $session, private string $room, private ?string $after = null)
    {
    }

    /**
     * The next event; null when the server says not to come back.
     *
     * A `reset` says that some events cannot be had any more: fetch what you show anew.
     *
     * @throws ApiException the refusal that is final
     */
    public function next(): ?StreamEvent
    {
        while (!$this->isOver) {
            if ($this->connection === null && !$this->open()) {
                continue;
            }
            [$name, $event] = $this->frame();
            if ($event === null) {
                $this->close();
            } elseif ($name === 'bye') {
                $this->close();
                $this->wait = $event->getRetrySeconds();
                $this->isOver = $this->wait === null;
            } elseif ($name === '' || $name === 'reset') {
                return $event;
            }
        }
        return null;
    }

    public function close(): void
    {
        if ($this->connection !== null) {
            fclose($this->connection);
        }
        $this->connection = null;
    }

    private function open(): bool
    {
        if ($this->wait === null) {
            // The wait is random in part: after a restart not all readers should come back at the same moment.
            $this->wait = min($this->retry * 2 ** $this->failures++, self::LONGEST_WAIT) * random_int(50, 100) / 100;
        }
        usleep((int) ($this->wait * 1_000_000));
        $this->wait = null;
        $events = new EventsApi($this->session->http, $this->session->configuration);
        $request = $events->streamRoomEventsRequest($this->room, $this->after);
        $options = ['stream' => true, 'connect_timeout' => 10, 'read_timeout' => $this->patience];
        try {
            $this->connection = $this->session->http->send($request, $options)->getBody()->detach();
            return true;
        } catch (BadResponseException $refused) {
            [$status, $headers] = [$refused->getResponse()->getStatusCode(), $refused->getResponse()->getHeaders()];
            // A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
            if ($status !== 429 && $status < 500) {
                throw new ApiException($refused->getMessage(), $status, $headers, (string) $refused->getResponse()->getBody());
            }
            $this->wait = retryAfter($headers) ?: null;
        } catch (ApiException $refused) {
            // The token could not be renewed.
            if ($refused->getCode() !== 0 && $refused->getCode() !== 429 && $refused->getCode() < 500) {
                throw $refused;
            }
            $this->wait = retryAfter($refused->getResponseHeaders()) ?: null;
        } catch (GuzzleException) {
            // The server cannot be reached.
        }
        return false;
    }

    /** The name and the data of the next frame that has some; no data when the connection is over, or silent for too long. */
    private function frame(): array
    {
        [$name, $data] = ['', ''];
        while (($line = $this->line()) !== null) {
            [$field, $value] = explode(':', $line, 2) + [1 => ''];
            $value = str_starts_with($value, ' ') ? substr($value, 1) : $value;
            match ($field) {
                'event' => $name = $value,
                'data' => $data .= $value,
                'id' => $id = $value,
                'retry' => $this->retry = $value / 1000,
                default => null,
            };
            if ($field === '' && $data !== '') {
                $event = ObjectSerializer::deserialize($data, StreamEvent::class);
                $this->after = $id ?? $this->after;
                $this->failures = 0;
                if ($event->getHeartbeatSeconds() !== null) {
                    $this->patience = 2 * $event->getHeartbeatSeconds();
                    stream_set_timeout($this->connection, $this->patience);
                }
                return [$name, $event];
            }
        }
        return ['', null];
    }

    private function line(): ?string
    {
        $line = '';
        // One by one from PHP's buffer: fgets() would wait until the buffer is full. A ping comes when nothing else does,
        // so a read that has to wait for longer than the patience finds nothing: the connection is dead.
        while (($byte = fread($this->connection, 1)) !== '' && $byte !== false) {
            if ($byte === "\n") {
                return rtrim($line, "\r");
            }
            $line .= $byte;
        }
        return null;
    }
}
