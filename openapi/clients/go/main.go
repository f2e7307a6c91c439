// Two people in a room: everything that a client of Parlor needs, once. Usage: example http://127.0.0.1:8080

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	parlor "parlor-example/generated"
)

const password = "correct horse battery staple"

func main() {
	log.SetFlags(log.Lshortfile)
	if len(os.Args) != 2 {
		log.Fatal("usage: example http://127.0.0.1:8080")
	}
	ctx, url := context.Background(), os.Args[1]
	unique := strings.ToLower(rand.Text()[:8])

	anonymous := NewClient(url, http.DefaultTransport)
	server := must(anonymous.ServerAPI.GetServer(ctx).Execute())
	fmt.Printf("%s %s, registration: %s\n", server.Name, server.Version, server.Registration)
	var people []*Session
	for _, name := range []string{"ada-" + unique, "grace-" + unique} {
		registration := parlor.Registration{Username: name, Password: password}
		user := must(anonymous.AccountsAPI.RegisterUser(ctx).Registration(registration).Execute())
		check(user.DisplayName == name, "a display name is the username if none is given")
		fmt.Println("registered", user.Username, "at", user.CreatedAt.Format(time.RFC3339))
		session, err := SignIn(ctx, url, name, password)
		people = append(people, must(session, nil, err))
	}
	ada, grace := people[0], people[1]
	fmt.Println("both are signed in")

	input := parlor.RoomInput{Name: "parlor-" + unique, Title: parlor.PtrString("An example")}
	room := must(ada.API.RoomsAPI.CreateRoom(ctx).RoomInput(input).Execute())
	joined := must(grace.API.MembersAPI.JoinRoom(ctx, room.Name).Execute())
	check(joined.User.Username == "grace-"+unique, "who joins is the member")
	fmt.Println("grace joined", room.Name)

	greeting := parlor.MessageInput{Body: "Good morning!", ClientId: &unique}
	first, created, err := ada.API.MessagesAPI.PostMessage(ctx, room.Id).MessageInput(greeting).Execute()
	must(first, created, err)
	second, repeated, err := ada.API.MessagesAPI.PostMessage(ctx, room.Id).MessageInput(greeting).Execute()
	must(second, repeated, err)
	check(created.StatusCode == 201 && repeated.StatusCode == 200 && first.Id == second.Id, "a repeat is harmless")
	fmt.Println("posted once, though it was sent twice")

	post := func(body string) *parlor.Message {
		input := parlor.MessageInput{Body: body}
		return must(grace.API.MessagesAPI.PostMessage(ctx, room.Id).MessageInput(input).Execute())
	}
	for _, body := range []string{"two", "three", "four", "five"} {
		post(body)
	}
	page := must(ada.API.MessagesAPI.ListMessages(ctx, room.Id).Limit(2).Execute())
	history, cursor, pages := page.Items, page.Cursor, 1
	for page.PrevCursor != nil {
		page = must(ada.API.MessagesAPI.ListMessages(ctx, room.Id).Limit(2).Before(*page.PrevCursor).Execute())
		history = slices.Concat(page.Items, history)
		pages++
	}
	check(len(history) == 5 && history[0].Id == first.Id && history[4].Body == "five", "history is complete and in order")
	fmt.Println("read", len(history), "messages in", pages, "pages")

	_, answer, err := ada.API.RoomsAPI.GetRoom(ctx, "no-"+unique).Execute()
	problem, ok := Problem(err)
	check(ok && answer.StatusCode == 404 && problem.Status == 404, "a room that is not there is a problem")
	fmt.Printf("met the problem %s: %s\n", problem.Code, problem.Title)

	next, leave := iter.Pull2(ada.Follow(ctx, room.Id, cursor))
	six := post("six")
	seen := nextMessage(next)
	check(seen.Message.Id == six.Id, "what was posted since the page is there, and the stream is open")
	live := post("live")
	seen = nextMessage(next)
	check(seen.Message.Id == live.Id, "what is posted comes live")
	fmt.Printf("heard %q as it was posted\n", seen.Message.Body)

	leave()
	missed := []*parlor.Message{post("seven"), post("eight"), post("nine")}
	next, leave = iter.Pull2(ada.Follow(ctx, room.Id, *seen.Cursor))
	for _, message := range missed {
		event := nextMessage(next)
		check(event.Message.Id == message.Id && *event.Seq == message.Seq, "what was missed comes in order")
	}
	check(post("ten").Id == nextMessage(next).Message.Id, "there is nothing after the three that were missed")
	leave()
	fmt.Println("away for three messages, and got exactly these")

	for before := ada.Renewals; ada.Renewals == before; time.Sleep(200 * time.Millisecond) {
		must(ada.API.AccountsAPI.GetMe(ctx).Execute())
	}
	fmt.Println("the access token expired and was renewed")

	response, err := ada.API.SessionsAPI.Logout(ctx).LogoutInput(parlor.LogoutInput{}).Execute()
	must(response, response, err)
	_, _, err = ada.API.AccountsAPI.GetMe(ctx).Execute()
	problem, ok = Problem(err)
	check(ok && problem.Status == 401, "whoever signed out is not let in")
	var lost error
	for _, lost = range ada.Follow(ctx, room.Id, "") {
	}
	check(lost != nil, "nor do they hear anything")
	fmt.Println("signed out: the token is refused")
}

// nextMessage is the next event that posts a message; everything else that happens is passed over.
func nextMessage(next func() (parlor.StreamEvent, error, bool)) parlor.StreamEvent {
	for {
		event, err, ok := next()
		check(ok && err == nil, "the stream goes on: ", err)
		switch event.Type {
		case "message.posted":
			return event
		case "reset":
			fmt.Println("told to begin anew:", event.GetReason())
		}
	}
}

// must gives what a call answered, and ends the program if it was refused.
func must[T any](value T, _ *http.Response, err error) T {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
	return value
}

func check(holds bool, claim ...any) {
	if !holds {
		log.Output(2, "not so: "+fmt.Sprint(claim...))
		os.Exit(1)
	}
}
