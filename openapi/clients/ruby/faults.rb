# What a caller sees when a request fails, whichever layer refuses it.
#
# Usage: ruby -I generated/lib faults.rb http://127.0.0.1:8080 BARE_URL, which is the address that
# ../bare.mjs prints.

require 'securerandom'
require_relative 'session'

base_url, bare_url = ARGV
username = "ada-#{SecureRandom.hex(4)}"

def accounts_at(url)
  Parlor::AccountsApi.new(client_at(url))
end

# Why a call was refused.
def refusal
  yield
  raise 'the call was not refused'
rescue Parlor::ApiError => e
  e
end

# Compares the status and the code; the code is nil where there is no problem.
def check(refused, status, code)
  given = [refused.code, problem_of(refused)&.code]
  raise "not #{[status, code]}, but #{given}" unless given == [status, code]
end

registration = Parlor::Registration.new(username: username, password: 'password1234')
common = refusal { accounts_at(base_url).register_user(registration) }
check common, 422, 'password_too_common'
raise 'the place is not named' unless problem_of(common).errors.first.pointer == '/password'

puts "a rule: #{problem_of(common).title}"

sessions = Parlor::SessionsApi.new(client_at(base_url))
wrong = Parlor::LoginInput.new(username: username, password: 'not the right one')
tried = refusal { sessions.login(wrong) }
tried = refusal { sessions.login(wrong) } while tried.code == 401
check tried, 429, 'too_many_requests'
raise 'it does not say for how long to wait' unless retry_after(tried).positive?

puts "a limit: wait for #{retry_after(tried)} s"

check refusal { accounts_at(base_url).get_user('a' * 9_000) }, 414, 'uri_too_long'
puts 'a long address: the problem says so'
check refusal { accounts_at(base_url).get_user('a' * 20_000) }, 431, nil
puts 'one that is not even read: a status without a problem'

check refusal { accounts_at("#{base_url}/elsewhere").get_user(username) }, 404, 'not_found'
puts 'the wrong address: nothing is there'

[400, 414, 431].each { |status| check refusal { accounts_at(bare_url).get_user(status.to_s) }, status, nil }
check refusal { accounts_at(bare_url).get_user('500') }, 500, 'internal'
puts 'an empty answer is its status; a server that broke is a problem'
