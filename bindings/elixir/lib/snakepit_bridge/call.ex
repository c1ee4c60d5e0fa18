defmodule SnakepitBridge.Call do
  # One call of an operation or a tool: submitted, awaited, streamed. Frameworks and Tools share
  # it. Owns: the options of a call, its parent, its messages. Must not know: what operations
  # mean.
  @moduledoc false

  alias SnakepitBridge.{Invocation, Native, Operation, Payload, Session, Telemetry}

  @enforce_keys [:kind, :session, :parameters, :options]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          kind: :execute | :tool_call,
          session: Session.t(),
          parameters: map() | keyword() | nil,
          options: map()
        }

  # The process dictionary's key of the invocation that this process answers.
  @current :"$snakepit_bridge_invocation"

  @expected %{
    timeout: "milliseconds above 0 or :infinity",
    ttl: "milliseconds above 0 or :infinity",
    parent: "a SnakepitBridge.Invocation"
  }

  @allowed [:pool, :timeout, :traceparent, :parent]

  @type name :: atom() | String.t()

  @spec execute(Session.t(), name(), name(), term(), keyword(), [atom()]) :: t()
  def execute(%Session{} = session, framework, operation, parameters, options, more \\ []) do
    named = %{framework: to_string(framework), operation: to_string(operation)}
    make(:execute, session, parameters, named, options, [:affinity | more])
  end

  @spec tool(Session.t(), name(), term(), keyword(), [atom()]) :: t()
  def tool(%Session{} = session, name, arguments, options, more \\ []) do
    make(:tool_call, session, arguments, %{name: to_string(name)}, options, more)
  end

  # Submits and waits. The reference is made here so that only newer messages are looked through.
  @spec run(t()) :: {:ok, term()} | Native.failure()
  def run(%__MODULE__{} = call) do
    span = span(call)
    ref = make_ref()

    outcome =
      case submit(call, ref) do
        {:ok, _operation} ->
          receive do
            {:snakepit_bridge, ^ref, {:done, outcome}} -> Payload.outcome(outcome)
          end

        failure ->
          failure
      end

    Telemetry.stop(span, outcome)
  end

  # Submits. A refusal comes as the end of the operation, so that there is one place to look.
  @spec async(t()) :: Operation.t()
  def async(%__MODULE__{} = call) do
    span = span(call)
    ref = make_ref()

    number =
      case submit(call, ref) do
        {:ok, number} ->
          number

        failure ->
          send(self(), {:snakepit_bridge, ref, {:done, failure}})
          nil
      end

    %Operation{ref: ref, owner: self(), number: number, span: span}
  end

  # Submits with chunks: the stream and the reference of its messages.
  @spec open_stream(t(), reference()) :: {:ok, Native.resource()} | Native.failure()
  def open_stream(%__MODULE__{session: session, options: options} = call, ref) do
    Payload.give(Payload.parameters(call.parameters), fn parameters ->
      case call.kind do
        :execute -> Native.execute_stream(session.ref, options, parameters, self(), ref)
        :tool_call -> Native.tool_call_stream(session.ref, options, parameters, self(), ref)
      end
    end)
  end

  @spec span(t()) :: term()
  def span(%__MODULE__{kind: kind, session: session, options: options}) do
    Telemetry.start(:call, fn ->
      %{
        kind: kind,
        framework: options[:framework],
        operation: options[:operation] || options[:name],
        session: session.id,
        platform: session.platform,
        pool: options[:pool]
      }
    end)
  end

  # From now on calls of this process are nested in that invocation.
  @spec nest(atom(), Native.resource()) :: :ok
  def nest(platform, invocation) do
    Process.put(@current, {platform, invocation})
    :ok
  end

  # Options of the library from options of a caller: what is absent stays absent.
  @spec plain(keyword(), [atom()]) :: map()
  def plain(options, allowed) do
    for {key, given} <- Keyword.validate!(options, allowed), given != nil, into: %{} do
      {key, checked(key, given)}
    end
  end

  defp make(kind, session, parameters, named, options, more) do
    options = options |> plain(@allowed ++ more) |> Map.merge(named) |> nested(session, options)
    %__MODULE__{kind: kind, session: session, parameters: parameters, options: options}
  end

  defp submit(%{session: session, options: options} = call, ref) do
    Payload.give(Payload.parameters(call.parameters), fn parameters ->
      case call.kind do
        :execute -> Native.execute(session.ref, options, parameters, self(), ref)
        :tool_call -> Native.tool_call(session.ref, options, parameters, self(), ref)
      end
    end)
  end

  # `parent: nil` says that the call stands for itself. An invocation of another platform cannot
  # be a parent.
  defp nested(plain, session, given) do
    if Keyword.has_key?(given, :parent), do: plain, else: nested(plain, session.platform)
  end

  defp nested(plain, platform) do
    case Process.get(@current) do
      {^platform, invocation} -> Map.put(plain, :parent, invocation)
      _none_or_foreign -> plain
    end
  end

  defp checked(:parent, %Invocation{ref: ref}), do: ref
  defp checked(:pool, pool), do: to_string(pool)

  defp checked(key, :infinity) when key in [:timeout, :ttl], do: :infinity
  defp checked(key, time) when key in [:timeout, :ttl] and is_integer(time) and time > 0, do: time

  defp checked(key, given) when key in [:timeout, :ttl, :parent] do
    raise ArgumentError, "#{key} is #{inspect(given)}, expected #{@expected[key]}"
  end

  defp checked(_key, given), do: given
end
