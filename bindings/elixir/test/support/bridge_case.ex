defmodule SnakepitBridge.BridgeCase do
  # What the tests with real workers share: a configuration of this checkout, a platform for a
  # module, waits with a deadline. Must not know: what is tested.
  @moduledoc false

  use ExUnit.CaseTemplate

  alias SnakepitBridge.API.{Frameworks, Sessions}

  # Far beyond what anything here takes; reaching it is a failure.
  @long_ms 60_000

  using do
    quote do
      import SnakepitBridge.BridgeCase
      alias SnakepitBridge.API.{Frameworks, Sessions, State, Tools}
      alias SnakepitBridge.{Error, Session}
    end
  end

  @root Path.expand("../../../..", __DIR__)

  # A pool of `workers` that know the modules of tests/python; further keys of the pool in `more`.
  def config(workers \\ 1, more \\ %{}) do
    python = System.get_env("SPB_PYTHON", Path.join(@root, ".venv/bin/python"))
    modules = System.get_env("SPB_TEST_MODULES", Path.join(@root, "tests/python"))

    pool = %{
      workers: workers,
      python: python,
      python_path: [modules],
      frameworks: %{python: %{modules: ["spb_testmod", "spb_faultmod"]}}
    }

    %{pools: %{default: Map.merge(pool, more)}}
  end

  # Starts a platform that lives as long as the module's tests, named like the module.
  def platform(name, config \\ config(), options \\ []) do
    start_supervised!(
      {SnakepitBridge.Supervisor, [name: name, config: config, logs: false] ++ options}
    )

    :ok = Frameworks.await_ready(name)
    %{platform: name}
  end

  # A session that is closed after the test.
  def session(platform) do
    session = Sessions.open!(platform: platform)
    on_exit(fn -> Sessions.close(session) end)
    session
  end

  def call(session, operation, parameters \\ %{}, options \\ []) do
    options = Keyword.put_new(options, :timeout, @long_ms)
    Frameworks.execute(session, :python, operation, parameters, options)
  end

  def call!(session, operation, parameters \\ %{}, options \\ []) do
    {:ok, result} = call(session, operation, parameters, options)
    result
  end

  # Waits until a condition is true, and fails after a deadline.
  def eventually(what, condition, until \\ System.monotonic_time(:millisecond) + @long_ms) do
    cond do
      condition.() ->
        :ok

      System.monotonic_time(:millisecond) > until ->
        ExUnit.Assertions.flunk("never came true: #{what}")

      true ->
        receive do
        after
          2 -> eventually(what, condition, until)
        end
    end
  end

  # The sum of a metric over its labels.
  def metric(platform, name) do
    {:ok, text} = Frameworks.metrics(platform)

    for line <- String.split(text, "\n"), String.starts_with?(line, name), reduce: 0.0 do
      sum -> sum + (line |> String.split(" ") |> List.last() |> Float.parse() |> elem(0))
    end
  end

  # That nothing of a pool's calls is left.
  def settled(platform) do
    eventually("no call waits or runs", fn ->
      metric(platform, "spb_operations_running") == 0.0 and
        metric(platform, "spb_operations_queued") == 0.0
    end)
  end
end
