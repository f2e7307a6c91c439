// Owns following a room: one endless series of events over as many connections as it takes.

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"time"

	"github.com/tmaxmax/go-sse"

	parlor "parlor-example/generated"
)

const (
	largestEvent = 1 << 20
	longestWait  = 30 * time.Second
	// How long a connection may be silent until hello has told how often it gives a sign of life.
	firstPatience = 30 * time.Second
)

// Follow gives the events of a room after a cursor, from now without one. A reset among them says that some cannot be
// had any more: fetch what you show anew. It ends when the server says not to come back, or with the error that it gave.
func (s *Session) Follow(ctx context.Context, room, after string) iter.Seq2[parlor.StreamEvent, error] {
	return func(yield func(parlor.StreamEvent, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		query := url.Values{}
		if after != "" {
			query.Set("after", after)
		}
		address := s.API.GetConfig().Servers[0].URL + "/v1/rooms/" + room + "/events?" + query.Encode()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			yield(parlor.StreamEvent{}, err)
			return
		}
		// It remembers the cursor, which is the id of each frame, and comes back after the server's `retry`, with jitter.
		transport := &streams{session: s, patience: firstPatience}
		client := sse.Client{
			HTTPClient: &http.Client{Transport: transport},
			Backoff:    sse.Backoff{InitialInterval: time.Second, Multiplier: 2, MaxInterval: longestWait},
		}
		connection := client.NewConnection(request)
		connection.Buffer(nil, largestEvent)
		over := false
		connection.SubscribeToAll(func(frame sse.Event) {
			var event parlor.StreamEvent
			if over || json.Unmarshal([]byte(frame.Data), &event) != nil {
				return
			}
			// A ping comes when nothing else does: a connection that is silent for twice as long is dead.
			if seconds := event.HeartbeatSeconds; seconds != nil {
				transport.patience = 2 * time.Duration(*seconds) * time.Second
			}
			switch frame.Type {
			case "", "reset":
				over = !yield(event, nil)
			case "bye":
				over = event.RetrySeconds == nil
				transport.notBefore = time.Now().Add(time.Duration(event.GetRetrySeconds()) * time.Second)
			}
			if over {
				stop()
			}
		})
		if err := connection.Connect(); !over {
			yield(parlor.StreamEvent{}, err)
		}
	}
}

// streams tells what is worth another connection from what is final: go-sse comes back after an error of the transport,
// and gives up after an answer that is no stream (401 after a renewal, 403, 404).
type streams struct {
	session   *Session
	patience  time.Duration
	notBefore time.Time // for go-sse, which knows of `retry` alone, may wait for less than the server asked
}

func (t *streams) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := sleep(request.Context(), time.Until(t.notBefore)); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(request.Context())
	silence := time.AfterFunc(t.patience, cancel)
	response, err := t.session.RoundTrip(request.WithContext(ctx))
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &watched{response.Body, t, silence, cancel}
	if response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500 {
		response.Body.Close()
		t.notBefore = time.Now().Add(retryAfter(response))
		return nil, fmt.Errorf("the server is busy: %s", response.Status)
	}
	return response, nil
}

// watched is a body that ends when nothing came for too long.
type watched struct {
	io.ReadCloser
	stream  *streams
	silence *time.Timer
	cancel  context.CancelFunc
}

func (b *watched) Read(bytes []byte) (int, error) {
	b.silence.Reset(b.stream.patience)
	return b.ReadCloser.Read(bytes)
}

func (b *watched) Close() error {
	b.silence.Stop()
	b.cancel()
	return b.ReadCloser.Close()
}
