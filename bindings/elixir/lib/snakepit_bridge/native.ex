defmodule SnakepitBridge.Native do
  # The functions of the NIF library, one to one; everything else in this project goes through here.
  # Owns: loading the library. Must not know: processes of the API, options' defaults, DSPy.
  #
  # Resources (opaque references): platform, session, stream, tool, invocation, value.
  # Each is freed by the garbage collector; freeing cancels nothing but what is said below.
  #
  # Failures are `{:error, %SnakepitBridge.Error{}}`, made natively. Options are maps with atom
  # keys; an absent key is the C ABI's default. Times are milliseconds, `:infinity`
  # is SPB_NO_TIMEOUT.
  #
  # Payloads: `{:term, term}`, or `{:large, value}` for a value that takes long to decode, which
  # the receiver decodes with `value_decode/1` on a dirty scheduler.
  #
  # Values that are given: a term, or a value made of one. `:large` says that the term is too much
  # work for a normal scheduler, and that nothing was done: `value_encode_large/1` makes the value.
  #
  # Submitting functions take `pid` and `ref` (a `make_ref()` of the caller) last. `pid` is
  # monitored from before the submission on: when it dies the operation is cancelled. Exactly one
  # `{:snakepit_bridge, ref, {:done, outcome}}` comes; outcome is `{:ok, payload}` or
  # `{:error, error}`. They answer with the operation's number, which means nothing to the library
  # from its end on, and is never given again.
  #
  # What may take longer than a millisecond is marked dirty; all others take microseconds.
  @moduledoc false

  @on_load :load

  @type resource :: reference()
  @type operation :: non_neg_integer()
  @type failure :: {:error, SnakepitBridge.Error.t()}
  @type payload :: {:term, term()} | {:large, resource()}

  @doc false
  def load do
    path = :filename.join(:code.priv_dir(:snakepit_bridge), ~c"native/snakepit_bridge_nif")
    :erlang.load_nif(path, 0)
  end

  # ---- The library ---------------------------------------------------------------------------

  @spec version() :: String.t()
  def version, do: missing()

  @spec config_schema() :: String.t()
  def config_schema, do: missing()

  # ---- Values --------------------------------------------------------------------------------

  # Encodes a term; `:large` when it is too much work for a normal scheduler (nothing was done).
  @spec value_encode(term()) :: {:ok, resource()} | :large | failure()
  def value_encode(_term), do: missing()

  # The same without a limit, dirty CPU.
  @spec value_encode_large(term()) :: {:ok, resource()} | failure()
  def value_encode_large(_term), do: missing()

  # Decodes a value, dirty CPU.
  @spec value_decode(resource()) :: {:ok, term()} | failure()
  def value_decode(_value), do: missing()

  # Makes a value of a JSON document (without attachments), dirty CPU.
  @spec value_from_json(binary()) :: {:ok, resource()} | failure()
  def value_from_json(_json), do: missing()

  # The document of a value, dirty CPU.
  @spec value_to_json(resource()) :: {:ok, binary()} | failure()
  def value_to_json(_value), do: missing()

  # ---- Platform and pools --------------------------------------------------------------------

  # Dirty IO. The dispatcher thread of the platform runs until its last event.
  @spec platform_open(binary()) :: {:ok, resource()} | failure()
  def platform_open(_config_json), do: missing()

  # Answers with the submitted operation; `grace` 0 is as configured.
  @spec platform_shutdown(resource(), timeout(), pid(), reference()) ::
          {:ok, operation()} | failure()
  def platform_shutdown(_platform, _grace, _pid, _ref), do: missing()

  # Dirty CPU, as are the next three.
  @spec platform_health(resource()) :: {:ok, term()} | failure()
  def platform_health(_platform), do: missing()

  @spec platform_metrics(resource()) :: {:ok, String.t()} | failure()
  def platform_metrics(_platform), do: missing()

  # `framework` "" is all.
  @spec platform_schema(resource(), String.t()) :: {:ok, term()} | failure()
  def platform_schema(_platform, _framework), do: missing()

  @spec platform_describe(resource()) :: {:ok, term()} | failure()
  def platform_describe(_platform), do: missing()

  @spec pool_await_ready(
          resource(),
          String.t(),
          non_neg_integer(),
          timeout(),
          pid(),
          reference()
        ) :: {:ok, operation()} | failure()
  def pool_await_ready(_platform, _pool, _count, _timeout, _pid, _ref), do: missing()

  # Dirty CPU, and so is the next.
  @spec pool_stats(resource(), String.t()) :: {:ok, map()} | failure()
  def pool_stats(_platform, _pool), do: missing()

  @spec pool_schema(resource(), String.t(), String.t()) :: {:ok, term()} | failure()
  def pool_schema(_platform, _pool, _framework), do: missing()

  @spec pool_resize(resource(), String.t(), non_neg_integer(), non_neg_integer()) ::
          :ok | failure()
  def pool_resize(_platform, _pool, _workers_min, _workers_max), do: missing()

  @spec pool_drain(resource(), String.t(), timeout(), pid(), reference()) ::
          {:ok, operation()} | failure()
  def pool_drain(_platform, _pool, _grace, _pid, _ref), do: missing()

  # ---- Sessions (dirty IO: the store may be a server) ----------------------------------------

  # Options: those of spb_session_options, with `affinity` as an atom.
  @spec session_open(resource(), map()) :: {:ok, resource()} | failure()
  def session_open(_platform, _options), do: missing()

  @spec session_join(resource(), String.t()) :: {:ok, resource()} | failure()
  def session_join(_platform, _id), do: missing()

  @spec session_list(resource(), map()) :: {:ok, term()} | failure()
  def session_list(_platform, _options), do: missing()

  @spec session_info(resource()) :: {:ok, map()} | failure()
  def session_info(_session), do: missing()

  @spec session_touch(resource()) :: :ok | failure()
  def session_touch(_session), do: missing()

  @spec session_close(resource(), pid(), reference()) :: {:ok, operation()} | failure()
  def session_close(_session, _pid, _ref), do: missing()

  @spec session_clone(resource(), map()) :: {:ok, resource()} | failure()
  def session_clone(_session, _options), do: missing()

  @spec session_export(resource(), binary()) :: :ok | failure()
  def session_export(_session, _path), do: missing()

  @spec session_import(resource(), binary(), map()) :: {:ok, resource()} | failure()
  def session_import(_platform, _path, _options), do: missing()

  @spec session_export_value(resource()) :: {:ok, resource()} | failure()
  def session_export_value(_session), do: missing()

  @spec session_import_value(resource(), resource(), map()) :: {:ok, resource()} | failure()
  def session_import_value(_platform, _archive, _options), do: missing()

  # ---- Operations ----------------------------------------------------------------------------

  # Options: framework, operation, pool, timeout, parent (an invocation), traceparent, affinity.
  # `parameters` is a term, a value or, for none, nil.
  @spec execute(resource(), map(), term(), pid(), reference()) ::
          {:ok, operation()} | :large | failure()
  def execute(_session, _options, _parameters, _pid, _ref), do: missing()

  # Options: name, pool, timeout, parent, traceparent.
  @spec tool_call(resource(), map(), term(), pid(), reference()) ::
          {:ok, operation()} | :large | failure()
  def tool_call(_session, _options, _arguments, _pid, _ref), do: missing()

  @spec operation_cancel(operation()) :: :ok | failure()
  def operation_cancel(_operation), do: missing()

  @spec operation_state(operation()) :: {:ok, :queued | :running | :done} | failure()
  def operation_state(_operation), do: missing()

  # ---- Streams: taken on demand, so that a slow reader holds Python back ---------------------

  # As execute and tool_call, with chunks; option `window`. Nothing is sent but `:readable`.
  @spec execute_stream(resource(), map(), term(), pid(), reference()) ::
          {:ok, resource()} | :large | failure()
  def execute_stream(_session, _options, _parameters, _pid, _ref), do: missing()

  @spec tool_call_stream(resource(), map(), term(), pid(), reference()) ::
          {:ok, resource()} | :large | failure()
  def tool_call_stream(_session, _options, _arguments, _pid, _ref), do: missing()

  # Changes of variables; `patterns` as in C. Options: initial, coalesce (booleans), queue_max.
  @spec watch_stream(resource(), String.t(), map(), pid(), reference()) ::
          {:ok, resource()} | failure()
  def watch_stream(_session, _patterns, _options, _pid, _ref), do: missing()

  # Up to `max` events that are there, oldest first:
  #   {:chunk, sequence, payload}      {:done, outcome}       (streams of calls)
  #   {:variable, version, payload}    {:missed, count, payload}    {:end, error}  (watches)
  # `:wait` when there are none: then exactly one `{:snakepit_bridge, ref, :readable}` will come.
  # After the end a stream is `:closed`. A stream that is freed unread is cancelled.
  @spec stream_next(resource(), pos_integer()) :: [tuple()] | :wait | failure()
  def stream_next(_stream, _max), do: missing()

  # Cancels the call or stops the watch. Its end still comes by stream_next.
  @spec stream_cancel(resource()) :: :ok | failure()
  def stream_cancel(_stream), do: missing()

  # ---- Variables -----------------------------------------------------------------------------
  # Each verb twice: on a normal scheduler, for the memory store, and with `_io` on a dirty one,
  # for stores that wait for a disk or a server. `options`: expected_version, owner.

  for suffix <- ["", "_io"] do
    @spec unquote(:"variable_register#{suffix}")(resource(), map(), resource()) ::
            {:ok, non_neg_integer()} | failure()
    def unquote(:"variable_register#{suffix}")(_session, _options, _value), do: missing()

    @spec unquote(:"variable_get#{suffix}")(resource(), String.t()) ::
            {:ok, payload(), non_neg_integer()} | failure()
    def unquote(:"variable_get#{suffix}")(_session, _name), do: missing()

    @spec unquote(:"variable_set#{suffix}")(resource(), String.t(), resource(), map()) ::
            {:ok, non_neg_integer()} | failure()
    def unquote(:"variable_set#{suffix}")(_session, _name, _value, _options), do: missing()

    @spec unquote(:"variable_update#{suffix}")(resource(), String.t(), resource(), map()) ::
            {:ok, payload(), non_neg_integer()} | failure()
    def unquote(:"variable_update#{suffix}")(_session, _name, _update, _options), do: missing()

    @spec unquote(:"variable_rollback#{suffix}")(
            resource(),
            String.t(),
            non_neg_integer(),
            map()
          ) :: {:ok, non_neg_integer()} | failure()
    def unquote(:"variable_rollback#{suffix}")(_session, _name, _version, _options), do: missing()

    @spec unquote(:"variable_history#{suffix}")(resource(), String.t()) ::
            {:ok, payload()} | failure()
    def unquote(:"variable_history#{suffix}")(_session, _name), do: missing()

    @spec unquote(:"variable_lock#{suffix}")(
            resource(),
            String.t(),
            String.t(),
            non_neg_integer()
          ) :: :ok | failure()
    def unquote(:"variable_lock#{suffix}")(_session, _name, _owner, _ttl), do: missing()

    @spec unquote(:"variable_unlock#{suffix}")(resource(), String.t(), String.t()) ::
            :ok | failure()
    def unquote(:"variable_unlock#{suffix}")(_session, _name, _owner), do: missing()

    @spec unquote(:"variable_delete#{suffix}")(resource(), String.t(), map()) :: :ok | failure()
    def unquote(:"variable_delete#{suffix}")(_session, _name, _options), do: missing()

    # Options: pattern, after, limit.
    @spec unquote(:"variable_list#{suffix}")(resource(), map()) :: {:ok, payload()} | failure()
    def unquote(:"variable_list#{suffix}")(_session, _options), do: missing()

    @spec unquote(:"variable_get_many#{suffix}")(resource(), [String.t()]) ::
            {:ok, payload()} | failure()
    def unquote(:"variable_get_many#{suffix}")(_session, _names), do: missing()

    # Writes: {name, value, expected_version or 0}.
    @spec unquote(:"variable_set_many#{suffix}")(
            resource(),
            [{String.t(), resource(), non_neg_integer()}],
            String.t()
          ) :: {:ok, payload()} | failure()
    def unquote(:"variable_set_many#{suffix}")(_session, _writes, _owner), do: missing()
  end

  # ---- Tools ---------------------------------------------------------------------------------

  # Offers a tool to the calls of one session, or with nil of all. Options: name, description,
  # input_schema, output_schema, chunk_schema (JSON texts), max_in_flight, timeout, idempotent, and
  # `owner`, a pid: when it dies the tool is unregistered, and its running calls fail.
  # `pid` gets, in this order per call,
  #   {:snakepit_bridge, ref, {:tool_call, id, payload}}        for tool_take or tool_refuse
  #   {:snakepit_bridge, ref, {:tool_cancel, id}}       when nobody waits for the answer any more
  # When `pid` is dead, calls fail at once.
  @spec tool_register(resource(), resource() | nil, map(), pid(), reference()) ::
          {:ok, resource()} | failure()
  def tool_register(_platform, _session, _options, _pid, _ref), do: missing()

  @spec tool_unregister(resource(), pid(), reference()) :: {:ok, operation()} | failure()
  def tool_unregister(_tool, _pid, _ref), do: missing()

  @spec tool_list(resource(), resource() | nil) :: {:ok, [map()]} | failure()
  def tool_list(_platform, _session), do: missing()

  # Takes a call to answer it, once. It fails when nobody holds the invocation any more.
  @spec tool_take(resource(), non_neg_integer()) :: {:ok, resource()} | failure()
  def tool_take(_tool, _id), do: missing()

  # Fails a call, whether it was taken or not; options as of invocation_fail.
  @spec tool_refuse(resource(), non_neg_integer(), map()) :: :ok | failure()
  def tool_refuse(_tool, _id, _options), do: missing()

  @spec invocation_info(resource()) :: {:ok, map()} | failure()
  def invocation_info(_invocation), do: missing()

  @spec invocation_cancelled?(resource()) :: boolean()
  def invocation_cancelled?(_invocation), do: missing()

  # `chunk` and `result` are terms or values.
  @spec invocation_emit(resource(), term()) :: :ok | :large | failure()
  def invocation_emit(_invocation, _chunk), do: missing()

  @spec invocation_complete(resource(), term()) :: :ok | :large | failure()
  def invocation_complete(_invocation, _result), do: missing()

  # Options: status (an atom), retryable, message, details (a JSON text).
  @spec invocation_fail(resource(), map()) :: :ok | failure()
  def invocation_fail(_invocation, _options), do: missing()

  # ---- Log -----------------------------------------------------------------------------------

  # Records come to `pid` as {:snakepit_bridge, ref, {:log, record}} and {:log_dropped, count},
  # until the subscription (a stream resource) is cancelled or `pid` dies. Options:
  # level, target_prefix.
  @spec log_subscribe(resource(), map(), pid(), reference()) :: {:ok, resource()} | failure()
  def log_subscribe(_platform, _options, _pid, _ref), do: missing()

  defp missing, do: :erlang.nif_error(:snakepit_bridge_nif_is_not_loaded)
end
