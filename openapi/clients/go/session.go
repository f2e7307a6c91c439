// Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.

package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	parlor "parlor-example/generated"
)

// Session is somebody who is signed in. It is the http.RoundTripper of its own API.
type Session struct {
	API       *parlor.APIClient
	anonymous *parlor.APIClient

	mu     sync.Mutex
	tokens parlor.SignIn
	// Renewals counts how often the access token was renewed.
	Renewals int
}

// NewClient makes a generated client of the server at url.
func NewClient(url string, transport http.RoundTripper) *parlor.APIClient {
	configuration := parlor.NewConfiguration()
	configuration.Servers = parlor.ServerConfigurations{{URL: url}}
	configuration.HTTPClient = &http.Client{Transport: transport}
	return parlor.NewAPIClient(configuration)
}

// SignIn starts a new session with a username and a password.
func SignIn(ctx context.Context, url, username, password string) (*Session, error) {
	anonymous := NewClient(url, http.DefaultTransport)
	input := parlor.LoginInput{Username: username, Password: password}
	tokens, _, err := anonymous.SessionsAPI.Login(ctx).LoginInput(input).Execute()
	if err != nil {
		return nil, err
	}
	session := &Session{anonymous: anonymous, tokens: *tokens}
	session.API = NewClient(url, session)
	return session, nil
}

// RoundTrip sends a request as the person who signed in.
func (s *Session) RoundTrip(request *http.Request) (*http.Response, error) {
	token := s.token()
	response, err := send(request, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	err = s.renew(request.Context(), token)
	if problem, ok := Problem(err); ok && problem.Status == http.StatusUnauthorized {
		return response, nil // The session is over.
	}
	response.Body.Close()
	if err != nil {
		return nil, err
	}
	return send(request, s.token())
}

func send(request *http.Request, token string) (*http.Response, error) {
	signed := request.Clone(request.Context())
	signed.Header.Set("Authorization", "Bearer "+token)
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		signed.Body = body
	}
	return http.DefaultTransport.RoundTrip(signed)
}

func (s *Session) token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens.GetAccessToken()
}

// Requests that meet a 401 at the same time share one renewal: a refresh token is good for one use.
func (s *Session) renew(ctx context.Context, refused string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens.GetAccessToken() != refused {
		return nil
	}
	input := parlor.RefreshInput{RefreshToken: s.tokens.RefreshToken}
	ask := s.anonymous.SessionsAPI.Refresh(ctx).RefreshInput(input)
	tokens, answer, err := ask.Execute()
	if wait := retryAfter(answer); err != nil && wait > 0 {
		// The server is too busy for now, and the refresh token is still good: try once more.
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		tokens, _, err = ask.Execute()
	}
	if err != nil {
		return err
	}
	s.tokens = *tokens
	s.Renewals++
	return nil
}

// Problem is what the server said was wrong. An error of another kind, from a proxy or the network perhaps, has none.
func Problem(err error) (parlor.Problem, bool) {
	var refused *parlor.GenericOpenAPIError
	if !errors.As(err, &refused) {
		return parlor.Problem{}, false
	}
	problem, ok := refused.Model().(parlor.Problem)
	return problem, ok
}

// retryAfter is how long the server asks to wait before another try.
func retryAfter(answer *http.Response) time.Duration {
	if answer == nil {
		return 0
	}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
	return time.Duration(seconds) * time.Second
}

func sleep(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
