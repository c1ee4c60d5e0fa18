defmodule SnakepitBridge.API.Sessions do
  # Sessions: opened, joined, closed, copied.
  # Owns: the verbs and their options. Must not know: variables, calls.
  @moduledoc """
  Sessions: what calls share. docs/state.md says what they promise.

      {:ok, session} = Sessions.open(ttl: :timer.minutes(10))
      Sessions.with_session([], fn session -> ... end)

  Every function may be called from any process. With the memory store they take microseconds;
  with SQLite and Redis they wait for a disk or a server, on a scheduler of their own.
  """

  alias SnakepitBridge.{Archive, Call, Error, Native, Payload, Platform, Session, Telemetry}

  @typedoc """
    * `:platform` - the platform's name, default `SnakepitBridge`;
    * `:id` - a name of your own, at most 128 bytes; default: a random one;
    * `:ttl` - closed when unused for so many milliseconds, or `:infinity`; default: as
      configured;
    * `:metadata` - a map that is kept and shown, at most 8 KiB;
    * `:affinity` - `:none`, `:hint`, `:strict_queue` or `:strict_fail_fast`; default: as
      configured.
  """
  @type option ::
          {:platform, atom()}
          | {:id, String.t()}
          | {:ttl, timeout()}
          | {:metadata, map() | keyword()}
          | {:affinity, :none | :hint | :strict_queue | :strict_fail_fast}

  @type result :: {:ok, Session.t()} | {:error, Error.t()}

  @options [:id, :ttl, :metadata, :affinity]

  @doc """
  Opens a session.

  Errors: `:already_exists`, `:invalid_argument`, `:resource_exhausted`, `:closed`,
  `:unavailable`, and with a shared store `:store` and `:lease_lost`.
  """
  @spec open([option()]) :: result()
  def open(options \\ []) do
    {name, options} = Keyword.pop(options, :platform, SnakepitBridge)

    with {:ok, platform} <- Platform.fetch(name),
         {:ok, plain} <- plain(options) do
      opened(Native.session_open(platform.ref, plain), name, platform, plain[:id])
    end
  end

  @doc "As `open/1`, gives the session or raises the error."
  @spec open!([option()]) :: Session.t()
  def open!(options \\ []), do: options |> open() |> Payload.bang!()

  @doc """
  Finds the session of that id: open on this host, or in the store, opened by another host or
  before a restart. Its time starts again. Option: `:platform`.

  Errors: `:not_found`, `:invalid_argument`, `:resource_exhausted`, `:closed`, `:unavailable`,
  `:store`.
  """
  @spec join(String.t(), [{:platform, atom()}]) :: result()
  def join(id, options \\ []) when is_binary(id) do
    name = platform_of(options)

    with {:ok, platform} <- Platform.fetch(name) do
      opened(Native.session_join(platform.ref, id), name, platform, id)
    end
  end

  @doc "As `join/2`, gives the session or raises the error."
  @spec join!(String.t(), [{:platform, atom()}]) :: Session.t()
  def join!(id, options \\ []), do: id |> join(options) |> Payload.bang!()

  @doc """
  Closes a session for every host of the store, and waits until that has happened: its calls end
  with `:cancelled`, its tools and variables are gone.

  Errors: `:closed` when it was closed before, `:store`, `:unavailable`.
  """
  @spec close(Session.t()) :: :ok | {:error, Error.t()}
  def close(%Session{} = session) do
    ref = make_ref()

    with {:ok, _operation} <- Native.session_close(session.ref, self(), ref) do
      receive do
        {:snakepit_bridge, ^ref, {:done, outcome}} -> closed(session, Payload.outcome(outcome))
      end
    end
  end

  @doc "As `close/1`, raises the error."
  @spec close!(Session.t()) :: :ok
  def close!(session), do: session |> close() |> Payload.bang!()

  @doc """
  Runs `fun` with a session that is opened for it, and closes the session, also when `fun` raises,
  throws or exits. Gives what `fun` gives, or the error of `open/1`.

  A process that is killed closes nothing; the session's time (`:ttl`) ends it.
  """
  @spec with_session([option()], (Session.t() -> given)) :: given | {:error, Error.t()}
        when given: term()
  def with_session(options \\ [], fun) when is_function(fun, 1) do
    with {:ok, session} <- open(options) do
      try do
        fun.(session)
      after
        close(session)
      end
    end
  end

  @doc """
  Reports what a session is and holds, a map with texts as keys: `id`, `metadata`, `affinity`,
  `age_ms`, `idle_ms`, `ttl_ms`, `expires_in_ms`, `closed`, `operations_running`, `store`,
  `variables`, `bytes`, `revision`. The times to live are nil for a session that never expires.

  Errors: `:closed`, `:lease_lost`, `:store`, `:unavailable`.
  """
  @spec info(Session.t()) :: {:ok, map()} | {:error, Error.t()}
  def info(%Session{} = session), do: Native.session_info(session.ref)

  @doc "As `info/1`, gives the map or raises the error."
  @spec info!(Session.t()) :: map()
  def info!(session), do: session |> info() |> Payload.bang!()

  @doc """
  Counts as a use of the session: its time to live starts again. Never waits.

  Errors: `:closed`, `:lease_lost`.
  """
  @spec touch(Session.t()) :: :ok | {:error, Error.t()}
  def touch(%Session{} = session), do: Native.session_touch(session.ref)

  @doc """
  Lists the sessions of the store in the order of their ids, as maps with texts as keys: `id`,
  `metadata`, `affinity`, `ttl_ms`, `open`, and of those that are open here `age_ms`, `idle_ms`,
  `expires_in_ms`.

  Options: `:platform`; `:after`, the id behind which to begin; `:limit`, at most and by default
  10000.
  """
  @spec list([{:platform, atom()} | {:after, String.t()} | {:limit, pos_integer()}]) ::
          {:ok, [map()]} | {:error, Error.t()}
  def list(options \\ []) do
    {name, options} = Keyword.pop(options, :platform, SnakepitBridge)

    with {:ok, platform} <- Platform.fetch(name),
         do: Native.session_list(platform.ref, Call.plain(options, [:after, :limit]))
  end

  @doc """
  Opens a session that holds what this one does, at one moment: all variables with their history,
  without their locks. What the options (those of `open/1`) leave open is as it is here, but the
  id, which is random.
  """
  @spec clone(Session.t(), [option()]) :: result()
  def clone(%Session{} = session, options \\ []) do
    with {:ok, plain} <- plain(options) do
      opened(Native.session_clone(session.ref, plain), session.platform, session, plain[:id])
    end
  end

  @doc "As `clone/2`, gives the session or raises the error."
  @spec clone!(Session.t(), [option()]) :: Session.t()
  def clone!(session, options \\ []), do: session |> clone(options) |> Payload.bang!()

  @doc """
  Writes what the session holds, as `clone/2` would copy it, to a file that only its owner may
  read. A file that is there is replaced, at one moment and only by a whole one.

  Errors: `:closed`, `:store`, `:unavailable` and `:resource_exhausted` as the file system says.
  """
  @spec export(Session.t(), Path.t()) :: :ok | {:error, Error.t()}
  def export(%Session{} = session, path), do: Native.session_export(session.ref, to_string(path))

  @doc """
  Takes what the session holds, as `clone/2` would copy it, for `import_session/2`.

  Errors: as of `export/2`; `:resource_exhausted` when it is larger than a value may be.
  """
  @spec export(Session.t()) :: {:ok, Archive.t()} | {:error, Error.t()}
  def export(%Session{} = session) do
    with {:ok, value} <- Native.session_export_value(session.ref),
         do: {:ok, %Archive{value: value}}
  end

  @doc """
  Opens a session with what was exported: a file of `export/2`, by its path, or an archive of
  `export/1`. What the options (those of `open/1`) leave open is as the source says, the id too. A
  file may come from anybody: all of it is checked before the session is opened.

  Errors: those of `open/1`; `:invalid_argument`, `:type_mismatch`, `:constraint` for what the
  source holds, `:unavailable` when a file cannot be read.
  """
  @spec import_session(Path.t() | Archive.t(), [option()]) :: result()
  def import_session(source, options \\ [])

  def import_session(%Archive{value: value}, options) do
    imported(options, &Native.session_import_value(&1, value, &2))
  end

  def import_session(path, options) do
    imported(options, &Native.session_import(&1, to_string(path), &2))
  end

  defp imported(options, open) do
    {name, options} = Keyword.pop(options, :platform, SnakepitBridge)

    with {:ok, platform} <- Platform.fetch(name),
         {:ok, plain} <- plain(options) do
      opened(open.(platform.ref, plain), name, platform, plain[:id])
    end
  end

  defp opened({:ok, ref}, name, %{io: io}, id) do
    with {:ok, id} <- id_of(ref, id) do
      Telemetry.tell([:session, :open], %{session: id, platform: name})
      {:ok, %Session{id: id, platform: name, ref: ref, io: io}}
    end
  end

  defp opened({:error, _} = failure, _name, _platform, _id), do: failure

  defp id_of(_ref, id) when id not in [nil, ""], do: {:ok, id}

  defp id_of(ref, _none) do
    with {:ok, %{"id" => id}} <- Native.session_info(ref), do: {:ok, id}
  end

  defp closed(session, {:ok, _}) do
    Telemetry.tell([:session, :close], %{session: session.id, platform: session.platform})
  end

  defp closed(_session, failure), do: failure

  defp plain(options) do
    plain = Call.plain(options, @options)

    with {:ok, metadata} <- Payload.json(plain[:metadata]) do
      {:ok, if(metadata, do: %{plain | metadata: metadata}, else: plain)}
    end
  end

  defp platform_of(options) do
    options |> Keyword.validate!(platform: SnakepitBridge) |> Keyword.fetch!(:platform)
  end
end
