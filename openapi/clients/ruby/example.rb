# Two people in a room: everything that a client of Parlor needs, once. Usage: ruby -I generated/lib example.rb http://127.0.0.1:8080

require 'securerandom'
require_relative 'follow'
require_relative 'session'

base_url = ARGV.fetch(0)
password = 'correct horse battery staple'
unique = SecureRandom.hex(4)

def check(holds, claim)
  raise "not so: #{claim}" unless holds
end

# Why a call was refused.
def refusal
  yield
  raise 'the call was not refused'
rescue Parlor::ApiError => e
  e
end

# Runs the block with each message that somebody posts, and its cursor; everything else that happens is passed over.
def each_message(follow)
  follow.each do |event|
    case event.type
    when 'message.posted' then yield event.message, event.cursor
    when 'reset' then puts "told to begin anew: #{event.reason}"
    end
  end
end

server = Parlor::ServerApi.new(client_at(base_url)).get_server
puts "#{server.name} #{server.version}, registration: #{server.registration}"
anonymous = Parlor::AccountsApi.new(client_at(base_url))
["ada-#{unique}", "grace-#{unique}"].each do |username|
  user = anonymous.register_user(Parlor::Registration.new(username: username, password: password))
  check user.display_name == username, 'the display name is the username'
  puts "registered #{user.username} at #{user.created_at.strftime('%H:%M:%S')}"
end
ada = Session.new(base_url, "ada-#{unique}", password)
grace = Session.new(base_url, "grace-#{unique}", password)
puts 'both are signed in'

name = "parlor-#{unique}"
room = Parlor::RoomsApi.new(ada).create_room(Parlor::RoomInput.new(name: name, title: 'An example'))
joined = Parlor::MembersApi.new(grace).join_room(name)
check joined.user.username == "grace-#{unique}", 'grace is in the room'
puts "grace joined #{room.name}"

messages = Parlor::MessagesApi.new(ada)
greeting = Parlor::MessageInput.new(body: 'Good morning!', client_id: unique)
first, first_status = messages.post_message_with_http_info(room.id, greeting)
second, second_status = messages.post_message_with_http_info(room.id, greeting)
check [first_status, second_status] == [201, 200], 'the second is a repeat'
check first.id == second.id, 'both are one message'
puts 'posted once, though it was sent twice'

as_grace = Parlor::MessagesApi.new(grace)
post = ->(text) { as_grace.post_message(room.id, Parlor::MessageInput.new(body: text)) }
%w[two three four five].each(&post)
page = messages.list_messages(room.id, limit: 2)
cursor = page.cursor
history = page.items
pages = 1
while page.prev_cursor
  page = messages.list_messages(room.id, limit: 2, before: page.prev_cursor)
  history = page.items + history
  pages += 1
end
check history.map(&:body) == ['Good morning!', 'two', 'three', 'four', 'five'], 'the history is whole'
puts "read #{history.size} messages in #{pages} pages"

refused = refusal { Parlor::RoomsApi.new(ada).get_room("no-#{unique}") }
problem = problem_of(refused)
check [problem.status, refused.code] == [404, 404], 'the room is not there'
puts "met the problem #{problem.code}: #{problem.title}"

seen = nil
heard = []
six = post.call('six')
each_message(Follow.new(ada, room.id, cursor)) do |message, at|
  heard << message
  seen = at
  # The first is there already: the stream is open. The next comes as it is posted.
  heard.size == 1 ? post.call('live') : break
end
check heard.first.id == six.id, 'what was posted since the page is there'
check heard.last.body == 'live', 'the next post comes next'
puts "heard \"#{heard.last.body}\" as it was posted"

missed = %w[seven eight nine].map(&post)
heard = []
each_message(Follow.new(ada, room.id, seen)) do |message|
  heard << message
  post.call('ten') if heard.size == missed.size
  break if heard.size > missed.size
end
places = ->(list) { list.map { |message| [message.id, message.seq] } }
check places.call(heard.first(3)) == places.call(missed), 'the missed ones come in their order'
check heard.last.body == 'ten', 'there is nothing after the three that were missed'
puts 'away for three messages, and got exactly these'

accounts = Parlor::AccountsApi.new(ada)
before = ada.renewals
while ada.renewals == before
  accounts.get_me
  sleep 0.2
end
puts 'the access token expired and was renewed'

Parlor::SessionsApi.new(ada).logout
check refusal { accounts.get_me }.code == 401, 'the token is refused'
check refusal { Follow.new(ada, room.id).each { raise 'the stream goes on' } }.code == 401, 'the stream is refused'
puts 'signed out: the token is refused'
