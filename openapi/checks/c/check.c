// Registers somebody, signs in, asks who that is, and meets a problem. Usage: check http://127.0.0.1:8080
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/AccountsAPI.h"
#include "api/RoomsAPI.h"
#include "api/SessionsAPI.h"

static void check(int holds, const char *claim) {
    if (!holds) {
        fprintf(stderr, "not so: %s\n", claim);
        exit(1);
    }
}

int main(int count, char **arguments) {
    check(count == 2, "the address of a server is given");
    char username[32];
    snprintf(username, sizeof username, "ada-%ld", (long)getpid());
    char *password = "correct horse battery staple";
    apiClient_t *client = apiClient_create_with_base_path(arguments[1], NULL);

    registration_t registration = {.username = username, .password = password};
    user_t *user = AccountsAPI_registerUser(client, &registration);
    check(user && strcmp(user->display_name, username) == 0, "the display name is the username");
    printf("registered %s at %s\n", user->username, user->created_at);

    login_input_t login = {.username = username, .password = password};
    sign_in_t *sign_in = SessionsAPI_login(client, &login);
    check(sign_in && sign_in->access_token, "signing in gives a token");
    client->accessToken = strdup(sign_in->access_token);
    user_t *me = AccountsAPI_getMe(client);
    check(me && strcmp(me->id, user->id) == 0, "the token is mine");
    printf("signed in as %s\n", me->username);

    room_t *room = RoomsAPI_getRoom(client, "nowhere");
    check(!room && client->response_code == 404, "there is no such room");
    SessionsAPI_logout(client, NULL);
    check(client->response_code == 204, "signing out is answered");
    check(!AccountsAPI_getMe(client) && client->response_code == 401, "the token is refused");
    printf("signed out: the token is refused\n");

    user_free(me);
    sign_in_free(sign_in);
    user_free(user);
    apiClient_free(client);
    return 0;
}
