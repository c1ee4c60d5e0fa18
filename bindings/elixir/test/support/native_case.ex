defmodule SnakepitBridge.NativeCase do
  # What the tests of the native half share: one platform with a real Python worker, and waiting
  # with a deadline. Owns: no assertion of a test. Must not know the API above the native half.
  use ExUnit.CaseTemplate

  alias SnakepitBridge.Native

  @wait_ms 60_000

  using do
    quote do
      import SnakepitBridge.NativeCase
      alias SnakepitBridge.{Blob, Error, Native, Tensor}
    end
  end

  @doc "The checkout."
  def root, do: Path.expand("../../../..", __DIR__)

  @doc "How long a test waits at most."
  def wait_ms, do: @wait_ms

  @doc "The platform that all tests of this kind share; it ends with the system."
  def platform do
    case :persistent_term.get(__MODULE__, nil) do
      nil ->
        platform = open_platform(%{})
        {:done, {:ok, _}} = done(&Native.pool_await_ready(platform, "", 0, @wait_ms, &1, &2))
        :persistent_term.put(__MODULE__, platform)
        platform

      platform ->
        platform
    end
  end

  @doc "A platform of one's own, with the pool's settings changed."
  def open_platform(pool) do
    {:ok, platform} = Native.platform_open(json(config(pool)))
    platform
  end

  defp config(pool) do
    default = %{
      workers: 1,
      calls_per_worker: 8,
      queue_max: 20_000,
      python: System.get_env("SPB_PYTHON", Path.join(root(), ".venv/bin/python")),
      python_path: [System.get_env("SPB_TEST_MODULES", Path.join(root(), "tests/python"))],
      frameworks: %{python: %{modules: ["spb_testmod"]}}
    }

    %{pools: %{default: Map.merge(default, pool)}}
  end

  @doc "A session that the test closes when it ends."
  def session(options \\ %{}) do
    {:ok, session} = Native.session_open(platform(), options)
    session
  end

  @doc "A term as a value."
  def value(term) do
    {:ok, value} = Native.value_encode_large(term)
    value
  end

  @doc "A term as JSON."
  def json(term) do
    {:ok, json} = Native.value_to_json(value(term))
    json
  end

  @doc "The message of a submission that takes a pid and a reference."
  def done(submit) do
    ref = make_ref()
    {:ok, _operation} = submit.(self(), ref)
    next(ref)
  end

  @doc "The next message of a reference."
  def next(ref) do
    receive do
      {:snakepit_bridge, ^ref, body} -> body
    after
      @wait_ms -> ExUnit.Assertions.flunk("no message in time")
    end
  end

  @doc "What an operation of the Python framework answers."
  def call(session, operation, parameters) do
    options = %{framework: "python", operation: operation, timeout: @wait_ms}
    {:done, outcome} = done(&Native.execute(session, options, value(parameters), &1, &2))

    case outcome do
      {:ok, {:term, term}} -> {:ok, term}
      {:ok, {:large, value}} -> Native.value_decode(value)
      {:error, error} -> {:error, error}
    end
  end

  @doc "Waits for a condition, with a deadline."
  def eventually(condition, until \\ System.monotonic_time(:millisecond) + @wait_ms) do
    cond do
      condition.() ->
        true

      System.monotonic_time(:millisecond) > until ->
        ExUnit.Assertions.flunk("never came true")

      true ->
        Process.sleep(5)
        eventually(condition, until)
    end
  end

  @doc "A process that runs `fun` with this process as its argument, and what it told."
  def teller(fun) do
    parent = self()

    pid =
      spawn(fn ->
        send(parent, {:told, self(), fun.()})
        Process.sleep(:infinity)
      end)

    receive do
      {:told, ^pid, told} -> {pid, told}
    after
      @wait_ms -> ExUnit.Assertions.flunk("the process told nothing")
    end
  end

  @doc "Kills a process and waits for its end."
  def kill(pid) do
    monitor = Process.monitor(pid)
    Process.exit(pid, :kill)

    receive do
      {:DOWN, ^monitor, _, _, _} -> :ok
    after
      @wait_ms -> ExUnit.Assertions.flunk("the process lives on")
    end
  end

  @doc "How many calls the worker pool has, waiting and running."
  def calls_open(platform) do
    {:ok, %{"queued" => queued, "running" => running}} = Native.pool_stats(platform, "")
    queued + running
  end
end
