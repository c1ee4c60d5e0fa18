defmodule SnakepitBridge.API.State do
  # Variables of sessions: read, written, locked, watched.
  # Owns: the verbs and their options. Must not know: stores, but that some make a caller wait.
  @moduledoc """
  Variables of a session: typed, versioned, shared with Python. docs/state.md has types,
  constraints and promises.

      {:ok, 1} = State.register(session, "budget", :integer, 100, constraints: %{min: 0})
      {:ok, 90} = State.update(session, "budget", add: -10)
      {:ok, {90, 2}} = State.get_with_version(session, "budget")

  Every function may be called from any process. With the memory store they take microseconds;
  with SQLite and Redis they wait for a disk or a server, on a scheduler that is made for it.

  Names are texts or atoms. Values: see `SnakepitBridge`.

  **Errors.** Of every verb: `:not_found` (with the nearest name), `:closed`, `:store`,
  `:unavailable`, `:lease_lost`. Of what writes: `:type_mismatch` and `:constraint` (with
  `details["constraint"]`, `["given"]`, `["allowed"]`), `:busy` (locked; `details["owner"]`),
  `:version_conflict` (`details["expected"]`, `["actual"]`), `:resource_exhausted`.

  **Writing** takes the options `:expected_version` (only over exactly this one) and `:owner` (the
  owner of a lock gets past it).
  """

  alias SnakepitBridge.{Call, Error, Native, Payload, Platform, Reader, Session, Subscription}
  alias SnakepitBridge.Variable

  @type name :: atom() | String.t()
  @type version :: pos_integer()
  @type write_option :: {:expected_version, version()} | {:owner, String.t()}
  @type failure :: {:error, Error.t()}

  @typedoc """
  `:string`, `:integer`, `:float`, `:boolean`, `:choice`, `:json`, `:bytes`, `:program`,
  `:embedding` or `:tensor`.
  """
  @type type :: atom() | String.t()

  @writing [:expected_version, :owner]
  @lock_ttl_ms 60_000

  @doc """
  Registers a variable with its first value, as version 1. Options: `:constraints` and
  `:metadata`, maps.

  Errors also: `:already_exists`, `:invalid_argument` for constraints that do not go with the
  type.
  """
  @spec register(Session.t(), name(), type(), term(), constraints: map(), metadata: map()) ::
          {:ok, version()} | failure()
  def register(%Session{} = session, name, type, value, options \\ []) do
    plain = Call.plain(options, [:constraints, :metadata])

    with {:ok, constraints} <- Payload.json(plain[:constraints]),
         {:ok, metadata} <- Payload.json(plain[:metadata]),
         {:ok, value} <- Payload.encode(value) do
      named = %{name: to_string(name), type: to_string(type)}
      given = present(%{constraints: constraints, metadata: metadata})
      native(session, :register, [Map.merge(named, given), value])
    end
  end

  @doc "As `register/5`, gives the version or raises the error."
  @spec register!(Session.t(), name(), type(), term(), constraints: map(), metadata: map()) ::
          version()
  def register!(session, name, type, value, options \\ []) do
    session |> register(name, type, value, options) |> Payload.bang!()
  end

  @doc "Reads a variable."
  @spec get(Session.t(), name()) :: {:ok, term()} | failure()
  def get(session, name) do
    with {:ok, {value, _version}} <- get_with_version(session, name), do: {:ok, value}
  end

  @doc "As `get/2`, gives the value or raises the error."
  @spec get!(Session.t(), name()) :: term()
  def get!(session, name), do: session |> get(name) |> Payload.bang!()

  @doc "Reads a variable and the version that this value is, as `{value, version}`."
  @spec get_with_version(Session.t(), name()) :: {:ok, {term(), version()}} | failure()
  def get_with_version(%Session{} = session, name) do
    session |> native(:get, [to_string(name)]) |> versioned()
  end

  @doc "As `get_with_version/2`, gives `{value, version}` or raises the error."
  @spec get_with_version!(Session.t(), name()) :: {term(), version()}
  def get_with_version!(session, name) do
    session |> get_with_version(name) |> Payload.bang!()
  end

  @doc "Writes a variable, and gives its new version."
  @spec set(Session.t(), name(), term(), [write_option()]) :: {:ok, version()} | failure()
  def set(%Session{} = session, name, value, options \\ []) do
    options = Call.plain(options, @writing)

    with {:ok, value} <- Payload.encode(value),
         do: native(session, :set, [to_string(name), value, options])
  end

  @doc "As `set/4`, gives the version or raises the error."
  @spec set!(Session.t(), name(), term(), [write_option()]) :: version()
  def set!(session, name, value, options \\ []) do
    session |> set(name, value, options) |> Payload.bang!()
  end

  @doc """
  Reads, reckons and writes in one step that no other writer comes into, and gives the new value.
  `update` says what becomes of the value: `[add: 5]`, `[max: 5]`, `[min: 5]`, `[toggle: true]`,
  `[append: element]`, `[extend: list]`, `[merge: map]` (RFC 7396) or `[patch: list]` (RFC 6902),
  as a keyword list or a map.
  """
  @spec update(Session.t(), name(), keyword() | map(), [write_option()]) ::
          {:ok, term()} | failure()
  def update(session, name, update, options \\ []) do
    with {:ok, {value, _version}} <- update_with_version(session, name, update, options),
         do: {:ok, value}
  end

  @doc "As `update/4`, gives the value or raises the error."
  @spec update!(Session.t(), name(), keyword() | map(), [write_option()]) :: term()
  def update!(session, name, update, options \\ []) do
    session |> update(name, update, options) |> Payload.bang!()
  end

  @doc "As `update/4`, gives the new value and its version, as `{value, version}`."
  @spec update_with_version(Session.t(), name(), keyword() | map(), [write_option()]) ::
          {:ok, {term(), version()}} | failure()
  def update_with_version(%Session{} = session, name, update, options \\ []) do
    options = Call.plain(options, @writing)

    with {:ok, update} <- update |> Payload.object() |> Payload.encode() do
      session |> native(:update, [to_string(name), update, options]) |> versioned()
    end
  end

  @doc """
  Writes the value that `version` had, as a new version, and gives that. Error also: `:not_found`
  with the versions that are kept in `details["versions"]`.
  """
  @spec rollback(Session.t(), name(), version(), [write_option()]) :: {:ok, version()} | failure()
  def rollback(%Session{} = session, name, version, options \\ []) do
    native(session, :rollback, [to_string(name), version, Call.plain(options, @writing)])
  end

  @doc "As `rollback/4`, gives the version or raises the error."
  @spec rollback!(Session.t(), name(), version(), [write_option()]) :: version()
  def rollback!(session, name, version, options \\ []) do
    session |> rollback(name, version, options) |> Payload.bang!()
  end

  @doc """
  Reads the earlier values that are kept and the current one, oldest first, as
  `[{version, value}, ...]`.
  """
  @spec history(Session.t(), name()) :: {:ok, [{version(), term()}]} | failure()
  def history(%Session{} = session, name) do
    with {:ok, rows} <- session |> native(:history, [to_string(name)]) |> Payload.outcome(),
         do: {:ok, Enum.map(rows, &{&1["version"], &1["value"]})}
  end

  @doc "As `history/2`, gives the list or raises the error."
  @spec history!(Session.t(), name()) :: [{version(), term()}]
  def history!(session, name), do: session |> history(name) |> Payload.bang!()

  @doc """
  Keeps everybody but the owner from writing a variable; everybody may read. Gives the owner's
  name, to pass as `:owner` to what writes. Options: `:owner`, 1 to 128 bytes (default: a random
  one); `:ttl`, milliseconds after which the lock ends by itself (default: a minute). The same
  owner's time starts again.
  """
  @spec lock(Session.t(), name(), owner: String.t(), ttl: pos_integer()) ::
          {:ok, String.t()} | failure()
  def lock(%Session{} = session, name, options \\ []) do
    options = Keyword.validate!(options, owner: nil, ttl: @lock_ttl_ms)
    owner = options[:owner] || random_owner()

    with :ok <- native(session, :lock, [to_string(name), owner, options[:ttl]]),
         do: {:ok, owner}
  end

  @doc "As `lock/3`, gives the owner or raises the error."
  @spec lock!(Session.t(), name(), owner: String.t(), ttl: pos_integer()) :: String.t()
  def lock!(session, name, options \\ []), do: session |> lock(name, options) |> Payload.bang!()

  @doc "Gives a locked variable back; one that nobody has is left as it is."
  @spec unlock(Session.t(), name(), String.t()) :: :ok | failure()
  def unlock(%Session{} = session, name, owner) do
    native(session, :unlock, [to_string(name), owner])
  end

  @doc "As `unlock/3`, raises the error."
  @spec unlock!(Session.t(), name(), String.t()) :: :ok
  def unlock!(session, name, owner), do: session |> unlock(name, owner) |> Payload.bang!()

  @doc """
  Runs `fun` with the owner of a lock that is taken for it (options of `lock/3`), and gives the
  variable back, also when `fun` raises, throws or exits. Gives what `fun` gives, or the error of
  `lock/3`. Of a process that is killed, the lock ends after its time.
  """
  @spec with_lock(Session.t(), name(), keyword(), (String.t() -> given)) :: given | failure()
        when given: term()
  def with_lock(session, name, options \\ [], fun) when is_function(fun, 1) do
    with {:ok, owner} <- lock(session, name, options) do
      try do
        fun.(owner)
      after
        unlock(session, name, owner)
      end
    end
  end

  @doc "Deletes a variable."
  @spec delete(Session.t(), name(), [write_option()]) :: :ok | failure()
  def delete(%Session{} = session, name, options \\ []) do
    native(session, :delete, [to_string(name), Call.plain(options, @writing)])
  end

  @doc "As `delete/3`, raises the error."
  @spec delete!(Session.t(), name(), [write_option()]) :: :ok
  def delete!(session, name, options \\ []) do
    session |> delete(name, options) |> Payload.bang!()
  end

  @doc """
  Lists variables by name. Options: `:pattern` (`*` is any text, `?` one character; default: all),
  `:after` (a name behind which to begin), `:limit` (at most and by default 10000).
  """
  @spec list(Session.t(), pattern: String.t(), after: name(), limit: pos_integer()) ::
          {:ok, [Variable.t()]} | failure()
  def list(%Session{} = session, options \\ []) do
    options = Call.plain(options, [:pattern, :after, :limit])

    with {:ok, rows} <- session |> native(:list, [options]) |> Payload.outcome(),
         do: {:ok, Enum.map(rows, &Variable.from_document/1)}
  end

  @doc "As `list/2`, gives the list or raises the error."
  @spec list!(Session.t(), pattern: String.t(), after: name(), limit: pos_integer()) ::
          [Variable.t()]
  def list!(session, options \\ []), do: session |> list(options) |> Payload.bang!()

  @doc """
  Reads up to 1000 variables as they are at one moment: `{found, missing}`, a map of variables by
  name and the names of those there are not.
  """
  @spec get_many(Session.t(), [name()]) ::
          {:ok, {%{String.t() => Variable.t()}, [String.t()]}} | failure()
  def get_many(%Session{} = session, names) do
    names = Enum.map(names, &to_string/1)

    with {:ok, %{"found" => found, "missing" => missing}} <-
           session |> native(:get_many, [names]) |> Payload.outcome() do
      {:ok, {Map.new(found, &{&1["name"], Variable.from_document(&1)}), missing}}
    end
  end

  @doc "As `get_many/2`, gives `{found, missing}` or raises the error."
  @spec get_many!(Session.t(), [name()]) :: {%{String.t() => Variable.t()}, [String.t()]}
  def get_many!(session, names), do: session |> get_many(names) |> Payload.bang!()

  @doc """
  Writes up to 1000 variables, all or none. `writes` are a map, a keyword list, or a list of
  `{name, value}` and `{name, value, expected_version}`. Gives the new versions by name. Option:
  `:owner`.
  """
  @spec set_many(
          Session.t(),
          %{name() => term()} | [{name(), term()} | {name(), term(), version()}],
          owner: String.t()
        ) :: {:ok, %{String.t() => version()}} | failure()
  def set_many(%Session{} = session, writes, options \\ []) do
    [owner: owner] = Keyword.validate!(options, owner: "")

    with {:ok, writes} <- encode_writes(writes),
         {:ok, rows} <- session |> native(:set_many, [writes, owner]) |> Payload.outcome(),
         do: {:ok, Map.new(rows, &{&1["name"], &1["version"]})}
  end

  @doc "As `set_many/3`, gives the versions or raises the error."
  @spec set_many!(
          Session.t(),
          %{name() => term()} | [{name(), term()} | {name(), term(), version()}],
          owner: String.t()
        ) :: %{String.t() => version()}
  def set_many!(session, writes, options \\ []) do
    session |> set_many(writes, options) |> Payload.bang!()
  end

  @typedoc """
    * `:initial` - first what there is, then the changes since (default `false`);
    * `:coalesce` - of several changes of one variable that wait, only the newest comes (default
      `false`);
    * `:queue_max` - changes that may wait, at most 65536 (default 1024); those on top are counted
      in a change of kind `:missed`.
  """
  @type watch_option ::
          {:initial, boolean()} | {:coalesce, boolean()} | {:queue_max, pos_integer()}

  @doc """
  Watches the variables whose names match one of `patterns` (a text or a list; `*` and `?` as in
  `list/2`; `[]`: all): a stream of `SnakepitBridge.Change`, in the order in which they happen. It
  is lazy, begins when it is enumerated, and ends with a change of kind `:end` when session or
  platform are closed, or when the watch was refused. Leaving it ends the watch.
  """
  @spec watch(Session.t(), String.t() | [String.t()], [watch_option()]) :: Enumerable.t()
  def watch(%Session{} = session, patterns \\ [], options \\ []) do
    Reader.changes(opener(session, patterns, options))
  end

  @doc """
  Watches as `watch/3` does, and sends each change to the calling process, as
  `{:snakepit_bridge, subscription.ref, %SnakepitBridge.Change{}}`, the one of kind `:end` last.
  When it has returned, no change is missed unseen.

  Bounded: while 100 messages wait in the mailbox, none is sent; further changes wait in the
  library (`:queue_max`), and what does not fit there is counted. Ends with the caller.
  """
  @spec subscribe(Session.t(), String.t() | [String.t()], [watch_option()]) ::
          {:ok, Subscription.t()} | failure()
  def subscribe(%Session{} = session, patterns \\ [], options \\ []) do
    with {:ok, tasks} <- Platform.whereis(session.platform, :tasks) do
      Subscription.start(tasks, opener(session, patterns, options))
    end
  end

  @doc """
  Ends a subscription of the calling process. When it has returned, no message of it waits or will
  come.
  """
  @spec unsubscribe(Subscription.t()) :: :ok
  def unsubscribe(%Subscription{} = subscription), do: Subscription.stop(subscription)

  defp opener(session, patterns, options) do
    patterns = patterns |> List.wrap() |> Enum.join(",")
    options = Call.plain(options, [:initial, :coalesce, :queue_max])
    fn ref -> Native.watch_stream(session.ref, patterns, options, self(), ref) end
  end

  defp encode_writes(writes) do
    Enum.reduce_while(writes, {:ok, []}, fn write, {:ok, done} ->
      {name, value, expected} = whole(write)

      case Payload.encode(value) do
        {:ok, value} -> {:cont, {:ok, [{to_string(name), value, expected} | done]}}
        failure -> {:halt, failure}
      end
    end)
    |> then(fn outcome -> with {:ok, done} <- outcome, do: {:ok, Enum.reverse(done)} end)
  end

  defp whole({name, value}), do: {name, value, 0}
  defp whole({name, value, expected}), do: {name, value, expected}

  defp versioned({:ok, payload, version}) do
    with {:ok, value} <- Payload.decode(payload), do: {:ok, {value, version}}
  end

  defp versioned({:error, _} = failure), do: failure

  defp random_owner, do: "elixir-" <> Base.encode16(:crypto.strong_rand_bytes(8), case: :lower)

  defp present(options),
    do: for({key, given} <- options, given != nil, into: %{}, do: {key, given})

  # Stores that wait for a disk or a server are asked on a dirty scheduler.
  defp native(%Session{io: io, ref: ref}, verb, arguments) do
    apply(Native, function(verb, io), [ref | arguments])
  end

  for verb <-
        ~w(register get set update rollback history lock unlock delete list get_many set_many)a do
    defp function(unquote(verb), false), do: unquote(:"variable_#{verb}")
    defp function(unquote(verb), true), do: unquote(:"variable_#{verb}_io")
  end
end
