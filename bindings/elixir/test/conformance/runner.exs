defmodule SnakepitBridge.Conformance.Runner do
  # Takes the steps of a scenario through the Elixir API and writes the trace.
  # Owns: the verbs of tests/conformance/README.md. Must not know: which scenarios there are.

  alias SnakepitBridge.API.{Frameworks, Sessions, State, Tools}
  alias SnakepitBridge.Change
  alias SnakepitBridge.Conformance.{Behaviours, Documents}

  @long 60_000

  # Gives the trace as terms; it has been compared with nothing yet.
  def run(scenario, name) do
    {:ok, trace} = Agent.start_link(fn -> [] end)
    options = [name: name, config: config(scenario["config"])]
    {:ok, platform} = SnakepitBridge.Supervisor.start_link(options)

    if scenario["config"]["pools"]["default"],
      do: :ok = Frameworks.await_ready(name, "default", 0, @long)

    host = %{
      name: name,
      trace: trace,
      sessions: %{},
      tools: %{},
      operations: %{},
      watches: %{},
      held: %{}
    }

    Enum.reduce(scenario["steps"], host, &step/2)
    Supervisor.stop(platform, :normal, @long)
    Agent.get(trace, &Enum.reverse/1)
  end

  # ---- Configuration -------------------------------------------------------------------------

  defp config(config) do
    modules = System.get_env("SPB_TEST_MODULES") || Path.expand("../../../../tests/python", __DIR__)

    python = System.get_env("SPB_PYTHON") || Path.expand("../../../../.venv/bin/python", __DIR__)

    update_in(config["pools"], fn pools ->
      Map.new(pools, fn {name, pool} ->
        {name, Map.merge(pool, %{"python" => python, "python_path" => [modules]})}
      end)
    end)
  end

  # ---- Steps ---------------------------------------------------------------------------------

  defp step(%{"do" => verb} = step, host) do
    case take(verb, step, host) do
      {:host, outcome, host} ->
        write(host, entry(verb, step, outcome))
        host

      outcome ->
        write(host, entry(verb, step, outcome))
        host
    end
  end

  defp entry(verb, %{"brief" => true}, {:error, error}), do: [verb, Documents.status(error)]
  defp entry(verb, %{"brief" => true}, _outcome), do: [verb, "OK"]
  defp entry(verb, _step, :ok), do: [verb, "OK"]
  defp entry(verb, _step, {:ok, result}), do: [verb, "OK", Documents.from_host(result)]
  defp entry(verb, _step, {:left, status}), do: [verb, status]

  defp entry(verb, _step, {:error, error}),
    do: [verb, Documents.status(error), Documents.error(error)]

  defp write(host, entry), do: Agent.update(host.trace, &[entry | &1], @long)

  # ---- Sessions and the platform -------------------------------------------------------------

  defp take("open", step, host) do
    options = [platform: host.name] ++ options(step, id: "id", metadata: "metadata")

    case Sessions.open(options) do
      {:ok, session} -> {:host, :ok, put_in(host.sessions[step["session"]], session)}
      {:error, _} = failure -> failure
    end
  end

  defp take("close", step, host), do: Sessions.close(session(step, host))

  # The platform closes, and its supervisor goes on, so that later steps see how they are refused.
  defp take("shutdown", step, host),
    do: SnakepitBridge.Supervisor.close(host.name, step["grace_ms"])

  # ---- Tools ---------------------------------------------------------------------------------

  defp take("register_tool", %{"name" => name} = step, host) do
    scope = if step["session"], do: session(step, host), else: host.name
    write = &write(host, &1)
    function = Behaviours.function(name, step["does"], write, self())

    options =
      options(step,
        description: "description",
        input_schema: "input_schema",
        output_schema: "output_schema",
        chunk_schema: "chunk_schema",
        timeout: "timeout_ms",
        max_in_flight: "max_in_flight",
        idempotent: "idempotent"
      )

    with {:ok, tool} <- Tools.register(scope, name, function, options),
         do: {:host, :ok, put_in(host.tools[name], tool)}
  end

  defp take("unregister_tool", step, host), do: Tools.unregister(host.tools[step["name"]])

  defp take("held", %{"name" => name}, host) do
    {pid, arguments} = await_held(name)
    {:host, {:ok, arguments}, put_in(host.held[name], pid)}
  end

  defp take("release", %{"name" => name, "value" => value}, host) do
    send(host.held[name], {:release, Documents.to_host(value)})
    {:host, :ok, %{host | held: Map.delete(host.held, name)}}
  end

  # Nobody waits any more: then the process of the tool is ended.
  defp take("cancelled", %{"name" => name}, host) do
    pid = host.held[name] || elem(await_held(name), 0)
    monitor = Process.monitor(pid)

    receive do
      {:DOWN, ^monitor, _, _, _} -> {:host, :ok, %{host | held: Map.delete(host.held, name)}}
    after
      @long -> raise "the call of #{name} goes on"
    end
  end

  # ---- Operations ----------------------------------------------------------------------------

  defp take("execute", %{"stream" => true} = step, host) do
    session = session(step, host)
    {framework, operation, parameters, options} = call(step)
    read(Frameworks.stream(session, framework, operation, parameters, options), step, host)
  end

  defp take("execute", step, host) do
    {framework, operation, parameters, options} = call(step)
    Frameworks.execute(session(step, host), framework, operation, parameters, options)
  end

  defp take("call_tool", step, host) do
    session = session(step, host)
    arguments = Documents.to_host(step["arguments"] || %{})
    options = options(step, pool: "pool", timeout: "timeout_ms")

    if step["stream"],
      do: read(Tools.stream(session, step["name"], arguments, options), step, host),
      else: Tools.call(session, step["name"], arguments, options)
  end

  defp take("submit", step, host) do
    {framework, operation, parameters, options} = call(step)
    started = Frameworks.async(session(step, host), framework, operation, parameters, options)

    if started.number,
      do: {:host, :ok, put_in(host.operations[step["as"]], started)},
      else: Frameworks.await(started, @long)
  end

  defp take("cancel", step, host), do: Frameworks.cancel(host.operations[step["operation"]])

  defp take("await", step, host),
    do: Frameworks.await(host.operations[step["operation"]], @long)

  # ---- Variables -----------------------------------------------------------------------------

  defp take("register", step, host) do
    value = Documents.to_host(step["initial"])
    options = options(step, constraints: "constraints", metadata: "metadata")
    State.register(session(step, host), step["name"], step["type"], value, options)
  end

  defp take("get", step, host),
    do: versioned(State.get_with_version(session(step, host), step["name"]))

  defp take("set", step, host) do
    value = Documents.to_host(step["value"])
    State.set(session(step, host), step["name"], value, writing(step))
  end

  defp take("update", step, host) do
    update = Documents.to_host(step["update"])
    session = session(step, host)
    versioned(State.update_with_version(session, step["name"], update, writing(step)))
  end

  defp take("rollback", step, host),
    do: State.rollback(session(step, host), step["name"], step["version"], writing(step))

  defp take("history", step, host) do
    with {:ok, rows} <- State.history(session(step, host), step["name"]),
         do: {:ok, for({version, value} <- rows, do: %{"version" => version, "value" => value})}
  end

  defp take("delete", step, host),
    do: State.delete(session(step, host), step["name"], writing(step))

  defp take("lock", step, host) do
    options = [owner: step["owner"], ttl: step["ttl_ms"]]
    with {:ok, _owner} <- State.lock(session(step, host), step["name"], options), do: :ok
  end

  defp take("unlock", step, host),
    do: State.unlock(session(step, host), step["name"], step["owner"])

  defp take("list", step, host) do
    with {:ok, variables} <- State.list(session(step, host), options(step, pattern: "pattern")),
         do: {:ok, Enum.map(variables, &row(&1, [:name, :type, :version, :value]))}
  end

  defp take("get_many", %{"names" => names} = step, host) do
    with {:ok, {found, missing}} <- State.get_many(session(step, host), names) do
      found =
        for name <- names,
            is_map_key(found, name),
            do: row(found[name], [:name, :version, :value])

      {:ok, %{"found" => found, "missing" => missing}}
    end
  end

  defp take("set_many", %{"writes" => writes} = step, host) do
    given = Enum.map(writes, &write_of(Documents.to_host(&1)))

    with {:ok, versions} <-
           State.set_many(session(step, host), given, options(step, owner: "owner")) do
      {:ok, for(%{"name" => name} <- writes, do: %{"name" => name, "version" => versions[name]})}
    end
  end

  defp take("watch", step, host) do
    options = options(step, initial: "initial")

    with {:ok, watch} <- State.subscribe(session(step, host), step["patterns"], options),
         do: {:host, :ok, put_in(host.watches[step["as"]], watch)}
  end

  defp take("changes", step, host) do
    for _ <- 1..step["count"], do: write(host, ["change", change(next_change(step, host))])
    :ok
  end

  defp take("stop_watch", step, host), do: State.unsubscribe(host.watches[step["watch"]])

  defp take("watch_end", step, host) do
    %Change{kind: :end, error: error} = next_change(step, host)
    {:left, Documents.status(error)}
  end

  # ---- Helpers -------------------------------------------------------------------------------

  defp session(step, host), do: Map.fetch!(host.sessions, step["session"])

  defp options(step, keys) do
    for {option, key} <- keys, is_map_key(step, key), do: {option, step[key]}
  end

  defp writing(step), do: options(step, expected_version: "expected_version", owner: "owner")

  defp call(step) do
    parameters = Documents.to_host(step["parameters"] || %{})
    options = options(step, pool: "pool", timeout: "timeout_ms")
    {step["framework"] || "python", step["operation"], parameters, options}
  end

  # Reads a stream to its end, or leaves it after `take` chunks.
  defp read(events, %{"take" => count} = step, host) do
    events |> Stream.take(count) |> Enum.reduce(0, &event(&1, &2, host))
    wait_until_idle(session(step, host), System.monotonic_time(:millisecond) + @long)
    {:left, "LEFT"}
  end

  defp read(events, _step, host) do
    Enum.reduce(events, 0, &event(&1, &2, host))
  end

  defp event({:chunk, value}, number, host) do
    write(host, ["chunk", number, Documents.from_host(value)])
    number + 1
  end

  defp event({:result, result}, _number, _host), do: {:ok, result}
  defp event({:error, error}, _number, _host), do: {:error, error}

  # No step leaves a stream while another operation of its session runs.
  defp wait_until_idle(session, deadline) do
    %{"operations_running" => running} = Sessions.info!(session)

    cond do
      running == 0 ->
        :ok

      System.monotonic_time(:millisecond) > deadline ->
        raise "the operation that was left goes on"

      true ->
        Process.sleep(2)
        wait_until_idle(session, deadline)
    end
  end

  defp await_held(name) do
    receive do
      {:held, ^name, pid, arguments} -> {pid, arguments}
    after
      @long -> raise "#{name} was not called"
    end
  end

  defp versioned({:ok, {value, version}}), do: {:ok, %{"value" => value, "version" => version}}
  defp versioned({:error, _} = failure), do: failure

  defp write_of(%{"expected_version" => version} = write),
    do: {write["name"], write["value"], version}

  defp write_of(write), do: {write["name"], write["value"]}

  defp row(variable, keys) do
    for key <- keys, into: %{}, do: {Atom.to_string(key), Map.fetch!(variable, key)}
  end

  defp next_change(step, host) do
    ref = host.watches[step["watch"]].ref

    receive do
      {:snakepit_bridge, ^ref, %Change{} = change} -> change
    after
      @long -> raise "watch #{step["watch"]} tells nothing"
    end
  end

  defp change(%Change{} = change) do
    document = %{
      "kind" => Atom.to_string(change.kind),
      "name" => change.name,
      "version" => change.version,
      "value" => Documents.from_host(change.value),
      "owner" => change.owner
    }

    # The scenarios watch no variable whose value is null.
    for {key, value} <- document, value != nil, into: %{}, do: {key, value}
  end
end
