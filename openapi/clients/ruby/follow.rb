# Owns following a room: one endless series of events over as many connections as it takes.

require 'net/http'
require_relative 'session'

RETRY = 3.0
LONGEST_WAIT = 30.0
# Seconds that a connection may be silent before `hello` has told how often the server gives a sign of life.
FIRST_PATIENCE = 120
CONNECTION_ERRORS = [SystemCallError, IOError, SocketError, Timeout::Error, OpenSSL::SSL::SSLError].freeze

# A frame of a stream: its name, its id, its event.
Frame = Struct.new(:name, :id, :event)

# The events of a room after a cursor, from now without one.
class Follow
  def initialize(session, room, after = nil)
    @session = session
    @room = room
    @after = after
    @patience = FIRST_PATIENCE
    @retry = RETRY
    @failures = 0
  end

  # Runs the block with each event, until it breaks or the server says not to come back. A `reset` among the events says
  # that some cannot be had any more: fetch what you show anew. Raises the refusal that is final.
  def each
    loop do
      least_wait = 0
      bye = nil
      begin
        frames do |frame|
          note(frame)
          case frame.name
          when 'message', 'reset' then yield frame.event
          when 'bye' then bye = frame.event
          end
        end
      rescue Parlor::ApiError => e
        # A 401 after a renewal means that the session is over; 403 and 404, that the caller may not follow this room.
        raise if e.code != 429 && e.code.between?(400, 499)

        least_wait = retry_after(e)
      rescue *CONNECTION_ERRORS
        # The server cannot be reached, or broke off, or was silent for too long.
      end
      return if bye && bye.retry_seconds.nil?

      sleep(bye&.retry_seconds || [wait, least_wait].max)
    end
  end

  private

  def note(frame)
    @after = frame.id || @after
    @failures = 0
    # A ping comes when nothing else does: a connection that is silent for twice as long is dead.
    @patience = 2 * frame.event.heartbeat_seconds if frame.event.heartbeat_seconds
  end

  # The wait is random in part: after a restart not all readers should come back at the same moment.
  def wait
    @failures += 1
    [@retry * 2**(@failures - 1), LONGEST_WAIT].min * rand(0.5..1.0)
  end

  # The frames of one connection.
  def frames(&block)
    uri = URI("#{@session.config.base_url}/v1/rooms/#{@room}/events")
    uri.query = URI.encode_www_form(after: @after) if @after
    Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https', open_timeout: 10, max_retries: 0) do |http|
      @session.signed do
        http.read_timeout = @patience
        http.request(Net::HTTP::Get.new(uri, 'Authorization' => "Bearer #{@session.token}")) do |response|
          raise refusal(response) unless response.is_a?(Net::HTTPOK)

          read(response, http, &block)
        end
      end
    end
  end

  def refusal(response)
    headers = response.each_capitalized.to_h
    Parlor::ApiError.new(code: response.code.to_i, response_headers: headers, response_body: response.read_body)
  end

  def read(response, http)
    name, id, data, text = nil, nil, '', ''
    response.read_body do |part|
      text << part
      while (line = text.slice!(/\A.*\n/))
        field, value = line.chomp.split(/: ?/, 2)
        case field
        when 'event' then name = value
        when 'id' then id = value
        when 'data' then data << value
        when 'retry' then @retry = value.to_f / 1000
        when nil
          unless data.empty?
            yield Frame.new(name || 'message', id, Parlor::StreamEvent.build_from_hash(JSON.parse(data, symbolize_names: true)))
            http.read_timeout = @patience
          end
          name, id, data = nil, nil, ''
        end
      end
    end
  end
end
