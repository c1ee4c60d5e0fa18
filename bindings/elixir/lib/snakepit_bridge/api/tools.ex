defmodule SnakepitBridge.API.Tools do
  # Tools: functions of this node that Python calls, and tools of either side called by name.
  # Owns: the verbs and their options. Must not know: how calls reach functions.
  @moduledoc """
  Tools: functions with a name that the other side calls. docs/tools.md says what they promise.

      {:ok, _tool} =
        Tools.register(session, "capital", fn %{"country" => country} ->
          case MyApp.Atlas.capital(country) do
            nil -> {:error, "no such country"}
            city -> city
          end
        end, description: "The capital of a country.")

  ## A function's answer

  A tool is a function of one argument, the arguments as a map with texts as keys; or of two, then
  the second is a `SnakepitBridge.Invocation`; or `{module, function, arguments}`, called with the
  map in front of its arguments.

  | it gives, or does | Python gets |
  | --- | --- |
  | `value` or `{:ok, value}` | the value; `:ok` is `None` |
  | `{:error, text}`, `{:error, atom}` | `ToolFailed` with that message |
  | `{:error, exception}` | `ToolFailed` with its message, `details["type"]` its name |
  | `{:error, status: :not_found, message: text}` | that failure; also `:details`, `:retryable` |
  | `{:error, %SnakepitBridge.Error{}}`, or raises one | that very failure |
  | raises | `ToolFailed` with the exception's message, `details` with `"kind"`, `"type"` |
  | throws, exits | `ToolFailed`, `details` with `"kind"`; of the term its leading atom |
  | is killed, or gives what is no value | `ToolFailed` |

  `details["kind"]` is `"raise"`, `"throw"` or `"exit"`. Stacktraces go to `Logger`, not to
  Python.

  ## Processes

  Each call runs in a process of its own under the platform's `Task.Supervisor`. When nobody waits
  for the answer any more (cancel, deadline, closed session), that process gets an exit signal
  `:shutdown`, and with it what it has linked; one that traps exits has five seconds for tidying
  up.

  A registration has an owner, by default the process that made it. When the owner dies, the tool
  is gone and its running calls fail. It also ends with its session and its platform.

  Calls of the API from a tool's process are nested in the call that it answers: they share its
  deadline and end with it, and a pool of one worker does not deadlock. In other processes, such
  as a `Task`, pass `parent: invocation`.
  """

  alias SnakepitBridge.{Call, Error, Invocation, Native, Operation, Payload, Platform, Reader}
  alias SnakepitBridge.{Session, Tool}
  alias SnakepitBridge.API.Sessions
  alias SnakepitBridge.Tools.{Runner, Server}

  @typedoc """
    * `:description` - for the agents and people that choose tools;
    * `:input_schema`, `:output_schema`, `:chunk_schema` - JSON Schema as maps; arguments, results
      and chunks are checked against them;
    * `:max_in_flight` - calls that are not answered yet; more fail with `:resource_exhausted`;
      default: as configured (256);
    * `:timeout` - milliseconds for each call; default: as long as the caller has;
    * `:idempotent` - whether it may be called again where nobody knows how an earlier call went;
    * `:owner` - a process of this node; default: the caller.
  """
  @type option ::
          {:description, String.t()}
          | {:input_schema, map()}
          | {:output_schema, map()}
          | {:chunk_schema, map()}
          | {:max_in_flight, pos_integer()}
          | {:timeout, timeout()}
          | {:idempotent, boolean()}
          | {:owner, pid()}

  @type call_option ::
          {:pool, atom() | String.t()}
          | {:timeout, timeout()}
          | {:traceparent, String.t()}
          | {:parent, Invocation.t() | nil}

  @type function_of_tool :: Runner.tool_function()

  @schemas [:input_schema, :output_schema, :chunk_schema]
  @options @schemas ++ [:description, :max_in_flight, :timeout, :idempotent]

  # Between two tries of a chunk whose reader is behind.
  @emit_rest_min_ms 1
  @emit_rest_max_ms 50

  @doc """
  Offers a tool to the calls of one session, or, with a platform's name in place of the session,
  to those of all.

  Errors: `:already_exists`, `:invalid_argument` (the name, a schema), `:resource_exhausted`,
  `:closed`, `:unavailable`.
  """
  @spec register(Session.t() | atom(), atom() | String.t(), function_of_tool(), [option()]) ::
          {:ok, Tool.t()} | {:error, Error.t()}
  def register(scope, name, function, options \\ []) do
    function = checked(function)
    {owner, options} = Keyword.pop(options, :owner, self())
    named = %{name: to_string(name), owner: local!(owner)}
    plain = options |> Call.plain(@options) |> Map.merge(named)
    {platform, session} = scope(scope)

    with {:ok, plain} <- with_schemas(plain),
         {:ok, server} <- Platform.whereis(platform, :tools) do
      Server.register(server, session, plain, function)
    end
  end

  @doc "As `register/4`, gives the tool or raises the error."
  @spec register!(Session.t() | atom(), atom() | String.t(), function_of_tool(), [option()]) ::
          Tool.t()
  def register!(scope, name, function, options \\ []) do
    scope |> register(name, function, options) |> Payload.bang!()
  end

  @doc """
  Takes a tool away: no new calls come, those under way are cancelled. Waits until that has
  happened. One that is gone already is left as it is.
  """
  @spec unregister(Tool.t()) :: :ok | {:error, Error.t()}
  def unregister(%Tool{} = tool) do
    ref = make_ref()

    with {:ok, _operation} <- Native.tool_unregister(tool.resource, self(), ref),
         {:ok, _nothing} <- ended(ref),
         {:ok, server} <- Platform.whereis(tool.platform, :tools) do
      Server.forget(server, tool.ref)
    end
  end

  @doc """
  Lists the tools that calls of a session can use, or, with a platform's name, those of all calls,
  as maps with texts as keys: `name`, `description`, `side` (`"host"` or `"python"`), `pool`,
  `scope`, `input_schema`, `output_schema`, `chunk_schema`, `streaming`, `idempotent`,
  `max_in_flight`, `timeout_ms`.
  """
  @spec list(Session.t() | atom()) :: {:ok, [map()]} | {:error, Error.t()}
  def list(scope \\ SnakepitBridge) do
    {name, session} = scope(scope)

    with {:ok, platform} <- Platform.fetch(name),
         do: Native.tool_list(platform.ref, session && session.ref)
  end

  @doc """
  Calls a tool of either side by its name and waits for its answer. `:pool` asks for Python's tool
  of that pool; the other options are those of `t:SnakepitBridge.API.Frameworks.option/0`.

  Errors: `:not_found`, `:unavailable`, `:invalid_argument`, what the tool failed with, and those
  of `SnakepitBridge.API.Frameworks`.
  """
  @spec call(Session.t(), atom() | String.t(), map() | keyword(), [call_option()]) ::
          {:ok, term()} | {:error, Error.t()}
  def call(session, name, arguments \\ %{}, options \\ []) do
    session |> Call.tool(name, arguments, options) |> Call.run()
  end

  @doc "As `call/4`, gives the answer or raises the error."
  @spec call!(Session.t(), atom() | String.t(), map() | keyword(), [call_option()]) :: term()
  def call!(session, name, arguments \\ %{}, options \\ []) do
    session |> call(name, arguments, options) |> Payload.bang!()
  end

  @doc """
  Begins to call a tool; `SnakepitBridge.API.Frameworks.await/2` and its siblings take the end.
  """
  @spec async(Session.t(), atom() | String.t(), map() | keyword(), [call_option()]) ::
          Operation.t()
  def async(session, name, arguments \\ %{}, options \\ []) do
    session |> Call.tool(name, arguments, options) |> Call.async()
  end

  @doc """
  Calls a tool and gives what it streams, as `SnakepitBridge.API.Frameworks.stream/5` does;
  `:window` is an option too.
  """
  @spec stream(Session.t(), atom() | String.t(), map() | keyword(), [
          call_option() | {:window, pos_integer()}
        ]) :: Enumerable.t()
  def stream(session, name, arguments \\ %{}, options \\ []) do
    session |> Call.tool(name, arguments, options, [:window]) |> Reader.events()
  end

  @doc """
  Sends a chunk ahead of the answer, in a tool whose caller takes chunks (`invocation.stream?`).
  Waits while the caller is 256 chunks behind, which ends when it takes one or goes away.

  Errors: `:state` when the caller takes none, `:invalid_argument` for one that breaks the chunk
  schema, `:type_mismatch` for what is no value, `:cancelled`, `:already_completed`.
  """
  @spec emit(Invocation.t(), term()) :: :ok | {:error, Error.t()}
  def emit(%Invocation{ref: ref}, chunk) do
    Payload.give(chunk, &emit_value(ref, &1, @emit_rest_min_ms))
  end

  @doc "As `emit/2`, raises the error."
  @spec emit!(Invocation.t(), term()) :: :ok
  def emit!(invocation, chunk), do: invocation |> emit(chunk) |> Payload.bang!()

  @doc """
  Says whether nobody waits for the answer any more. For processes that a tool started without a
  link; its own is ended.
  """
  @spec cancelled?(Invocation.t()) :: boolean()
  def cancelled?(%Invocation{ref: ref}), do: Native.invocation_cancelled?(ref)

  @doc "Milliseconds that the call still has, or `nil` when nothing limits it."
  @spec deadline_remaining(Invocation.t()) :: {:ok, integer() | nil} | {:error, Error.t()}
  def deadline_remaining(%Invocation{ref: ref}) do
    with {:ok, info} <- Native.invocation_info(ref), do: {:ok, info["deadline_remaining_ms"]}
  end

  @doc "The session that called, for calls of its tool's own."
  @spec session(Invocation.t()) :: {:ok, Session.t()} | {:error, Error.t()}
  def session(%Invocation{session: id, platform: platform}) do
    Sessions.join(id, platform: platform)
  end

  # The process may wait here for ever only if its caller does: when that one goes away, this
  # process is ended, and the library says :cancelled.
  defp emit_value(ref, value, rest) do
    case Native.invocation_emit(ref, value) do
      {:error, %Error{status: :again}} ->
        Process.sleep(rest)
        emit_value(ref, value, min(2 * rest, @emit_rest_max_ms))

      told ->
        told
    end
  end

  defp scope(%Session{platform: platform} = session), do: {platform, session}
  defp scope(platform) when is_atom(platform), do: {platform, nil}

  defp ended(ref) do
    receive do
      {:snakepit_bridge, ^ref, {:done, outcome}} -> Payload.outcome(outcome)
    end
  end

  defp with_schemas(plain) do
    Enum.reduce_while(@schemas, {:ok, plain}, fn key, {:ok, plain} ->
      case Payload.json(plain[key]) do
        {:ok, nil} -> {:cont, {:ok, plain}}
        {:ok, json} -> {:cont, {:ok, Map.put(plain, key, json)}}
        failure -> {:halt, failure}
      end
    end)
  end

  defp local!(owner) when is_pid(owner) and node(owner) == node(), do: owner

  defp local!(other) do
    raise ArgumentError, "owner is #{inspect(other)}, expected a process of this node"
  end

  defp checked(function) when is_function(function, 1) or is_function(function, 2), do: function

  defp checked({module, function, arguments} = mfa)
       when is_atom(module) and is_atom(function) and is_list(arguments),
       do: mfa

  defp checked(other) do
    raise ArgumentError,
          "the tool is #{inspect(other)}, expected a function of one or two arguments " <>
            "or {module, function, arguments}"
  end
end
