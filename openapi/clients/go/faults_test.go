// What a caller sees when a request fails, whichever layer refuses it. PARLOR_URL is the address of a server, BARE_URL that
// of ../bare.mjs, which gives answers that a server cannot be made to give.

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	parlor "parlor-example/generated"
)

func TestFaults(t *testing.T) {
	ctx, url := context.Background(), os.Getenv("PARLOR_URL")
	anonymous := NewClient(url, http.DefaultTransport)
	username := "ada-" + strings.ToLower(rand.Text()[:8])

	t.Run("a rule names the place that breaks it", func(t *testing.T) {
		input := parlor.Registration{Username: username, Password: "password1234"}
		_, answer, err := anonymous.AccountsAPI.RegisterUser(ctx).Registration(input).Execute()
		problem := refused(t, answer, err, 422, "password_too_common")
		if len(problem.Errors) != 1 || problem.Errors[0].Pointer != "/password" {
			t.Error("the place is not named:", problem.Errors)
		}
	})

	t.Run("a limit says how long to wait", func(t *testing.T) {
		input := parlor.LoginInput{Username: username, Password: "not the right one"}
		login := anonymous.SessionsAPI.Login(ctx).LoginInput(input)
		_, answer, err := login.Execute()
		for answer.StatusCode == http.StatusUnauthorized {
			refused(t, answer, err, 401, "wrong_credentials")
			_, answer, err = login.Execute()
		}
		refused(t, answer, err, 429, "too_many_requests")
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Error("Retry-After says nothing:", answer.Header)
		}
	})

	t.Run("a long address", func(t *testing.T) {
		_, answer, err := anonymous.AccountsAPI.GetUser(ctx, strings.Repeat("a", 9_000)).Execute()
		refused(t, answer, err, 414, "uri_too_long")
	})

	t.Run("a path that is not of the API", func(t *testing.T) {
		_, answer, err := NewClient(url+"/elsewhere", http.DefaultTransport).AccountsAPI.GetUser(ctx, username).Execute()
		refused(t, answer, err, 404, "not_found")
	})

	bare := NewClient(os.Getenv("BARE_URL"), http.DefaultTransport)
	t.Run("a server that broke", func(t *testing.T) {
		_, answer, err := bare.AccountsAPI.GetUser(ctx, "500").Execute()
		refused(t, answer, err, 500, "internal")
	})

	// What is refused before it is known to be a request is answered without a body: there is an error, but no code.
	empty := map[string]struct {
		client   *parlor.APIClient
		username string
		status   int
	}{
		"an address that is too long to be read": {anonymous, strings.Repeat("a", 70_000), 431},
		"more headers than are read":             {manyHeaders(url), username, 431},
		"an empty 400":                           {bare, "400", 400},
		"an empty 414":                           {bare, "414", 414},
		"a head that is no HTTP":                 {NewClient(url, &http.Transport{DialContext: dialGarbled}), username, 400},
	}
	for claim, given := range empty {
		t.Run(claim, func(t *testing.T) {
			_, answer, err := given.client.AccountsAPI.GetUser(ctx, given.username).Execute()
			refused(t, answer, err, given.status, "")
		})
	}
}

func manyHeaders(url string) *parlor.APIClient {
	client := NewClient(url, http.DefaultTransport)
	for n := range 100 {
		client.GetConfig().AddDefaultHeader("X-Header-"+strconv.Itoa(n), "value")
	}
	return client
}

// garbled is a connection whose requests are broken on the way.
type garbled struct{ net.Conn }

func dialGarbled(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := new(net.Dialer).DialContext(ctx, network, address)
	return garbled{connection}, err
}

func (c garbled) Write(request []byte) (int, error) {
	return c.Conn.Write(bytes.Replace(request, []byte("GET "), []byte("G\x01T "), 1))
}

// refused checks that the server said no, and that the generated client made of it what a program needs.
func refused(t *testing.T, answer *http.Response, err error, status int, code string) parlor.Problem {
	t.Helper()
	if err == nil || answer == nil {
		t.Fatal("not refused:", answer, err)
	}
	problem, _ := Problem(err)
	if answer.StatusCode != status || problem.Code != code {
		t.Fatalf("%d %q instead of %d %q: %v", answer.StatusCode, problem.Code, status, code, err)
	}
	if code != "" && (int(problem.Status) != status || problem.Title == "" || problem.RequestId != answer.Header.Get("X-Request-Id")) {
		t.Errorf("a problem that does not say what the document promises: %+v", problem)
	}
	return problem
}
