# Owns who is calling: signs in, sends the access token with every request, and renews it when the server says 401.

require 'parlor_client'
require 'uri'

# Somebody who signed in: operations that are given this client are called as them.
class Session < Parlor::ApiClient
  attr_reader :renewals

  def initialize(base_url, username, password)
    @anonymous = Parlor::SessionsApi.new(client_at(base_url))
    @tokens = @anonymous.login(Parlor::LoginInput.new(username: username, password: password))
    @renewals = 0
    @renewing = Mutex.new
    super(client_at(base_url).config)
    config.access_token_getter = -> { @tokens.access_token }
  end

  def call_api(method, path, opts = {})
    signed { super }
  end

  # Gives what the block gives. If the server refuses the access token, it is renewed and the block is run once more.
  def signed
    refused = token
    yield
  rescue Parlor::ApiError => e
    raise unless e.code == 401

    renew(refused)
    yield
  end

  def token
    @tokens.access_token
  end

  private

  def renew(refused)
    # Requests that meet a 401 at the same time share one renewal: a refresh token is good for one use.
    @renewing.synchronize do
      return unless token == refused

      newest = Parlor::RefreshInput.new(refresh_token: @tokens.refresh_token)
      begin
        @tokens = @anonymous.refresh(newest)
      rescue Parlor::ApiError => e
        raise if retry_after(e).zero?

        # The server is too busy for now, and the refresh token is still good: try once more.
        sleep(retry_after(e))
        @tokens = @anonymous.refresh(newest)
      end
      @renewals += 1
    end
  end
end

# A client of the server at this address, for nobody.
def client_at(base_url)
  address = URI(base_url)
  config = Parlor::Configuration.new
  config.scheme = address.scheme
  config.host = "#{address.host}:#{address.port}"
  config.base_path = address.path
  Parlor::ApiClient.new(config)
end

# Why a request was refused. An answer that is not of this API, from a proxy perhaps, has no problem.
def problem_of(refused)
  return unless refused.response_headers['Content-Type'] == 'application/problem+json'

  Parlor::Problem.build_from_hash(JSON.parse(refused.response_body, symbolize_names: true))
end

# How many seconds the server asks to wait before another try.
def retry_after(refused)
  (refused.response_headers || {})['Retry-After'].to_i
end
