defmodule SnakepitBridge.SupervisorTest do
  # A platform in a supervision tree: how it starts, starts anew, and ends.
  use SnakepitBridge.BridgeCase, async: false

  import ExUnit.CaptureLog

  require Logger

  alias SnakepitBridge.Platform

  test "a configuration is a map, a keyword list or a JSON text" do
    for config <- [%{"pools" => %{}}, [pools: %{}, close_grace_ms: 1], ~s({"pools": {}})] do
      name = __MODULE__.Forms
      start_supervised!({SnakepitBridge.Supervisor, name: name, config: config})
      assert {:ok, %{"live" => true}} = Frameworks.health(name)
      stop_supervised!({SnakepitBridge.Supervisor, name})
      assert {:error, %Error{status: :unavailable}} = Frameworks.health(name)
    end
  end

  test "a platform is gone with its supervisor, whenever the registry hears of it" do
    name = __MODULE__.Gone
    start_supervised!({SnakepitBridge.Supervisor, name: name, config: %{"pools" => %{}}})
    partitions = for {_, pid, _, _} <- Supervisor.which_children(SnakepitBridge.Registry), do: pid
    Enum.each(partitions, &:sys.suspend/1)
    stop_supervised!({SnakepitBridge.Supervisor, name})
    left = Registry.select(SnakepitBridge.Registry, [{{{name, :platform}, :_, :_}, [], [true]}])
    assert left == [true]
    assert {:error, %Error{status: :unavailable}} = Frameworks.health(name)
    Enum.each(partitions, &:sys.resume/1)
  end

  test "a faulty configuration names its key" do
    for {config, place} <- [{%{pool: %{}}, "pool"}, {"{", ""}, {[guard_path: 7], "guard_path"}] do
      Process.flag(:trap_exit, true)

      assert {:error, {:shutdown, {:failed_to_start_child, Platform, %Error{} = error}}} =
               SnakepitBridge.Supervisor.start_link(name: __MODULE__.Faulty, config: config)

      assert error.status == :invalid_argument
      assert error.message =~ place
    end

    assert_raise KeyError, fn -> SnakepitBridge.Supervisor.start_link(config: %{}) end
    assert_raise ArgumentError, fn -> SnakepitBridge.Supervisor.start_link(nam: 1) end
  end

  test "interpreter and guard come from the environment where nothing else is said" do
    given = Map.new(["SPB_PYTHON", "SPB_GUARD"], &{&1, System.get_env(&1)})
    System.put_env(%{"SPB_PYTHON" => "/env/python", "SPB_GUARD" => "/env/guard"})

    on_exit(fn ->
      for {key, text} <- given, do: if(text, do: System.put_env(key, text), else: delete(key))
    end)

    config = [pools: [default: [workers: 1], other: [python: "mine"]]]
    assert {:ok, document, _json} = SnakepitBridge.Config.document(config)
    assert document["guard_path"] == "/env/guard"
    assert document["pools"]["default"] == %{"workers" => 1, "python" => "/env/python"}
    assert document["pools"]["other"] == %{"python" => "mine"}
    assert {:ok, %{"guard_path" => "g"}, _} = SnakepitBridge.Config.document(guard_path: "g")
    assert {:ok, document, _} = SnakepitBridge.Config.document(%{})
    assert document["pools"] == %{"default" => %{"python" => "/env/python"}}
  end

  test "a platform whose process dies comes back as a new one, and the old one is gone" do
    name = __MODULE__.Restarted
    platform(name)
    session = Sessions.open!(platform: name)
    worker = call!(session, :pid)
    {:ok, owner} = Platform.whereis(name, :platform)
    Process.exit(owner, :kill)

    eventually("there is a new one", fn ->
      match?({:ok, pid} when pid != owner, Platform.whereis(name, :platform)) and
        match?({:ok, _}, Sessions.open(platform: name))
    end)

    assert {:error, %Error{status: :closed}} = Sessions.info(session)
    refute File.exists?("/proc/#{worker}")
    again = Sessions.open!(platform: name)
    assert call!(again, :pid) != worker
  end

  test "a stop lets calls end within its grace, and ends the others" do
    name = __MODULE__.Stopped
    options = [name: name, config: config(), grace: 2_000, logs: false]
    {:ok, supervisor} = SnakepitBridge.Supervisor.start_link(options)
    session = Sessions.open!(platform: name)
    test = self()

    Tools.register!(session, "slow", fn _ ->
      send(test, {:began, self()})

      receive do
        :go -> "in time"
      end
    end)

    worker = call!(session, :pid)
    quick = Frameworks.async(session, :python, :call_tool, %{name: "slow", arguments: %{}})
    stuck = Frameworks.async(session, :python, :sleep_until_cancelled)
    assert_receive {:began, tool}, 60_000

    # The tool is asked to answer when the closing has begun.
    stopping = Task.async(fn -> Supervisor.stop(supervisor) end)

    eventually("new calls are refused", fn ->
      match?({:error, %Error{}}, Frameworks.execute(session, :python, :pid))
    end)

    send(tool, :go)
    assert Frameworks.await(quick, 60_000) == {:ok, "in time"}
    assert {:error, %Error{status: :cancelled}} = Frameworks.await(stuck, 60_000)
    Task.await(stopping, 60_000)
    refute File.exists?("/proc/#{worker}")
    assert {:error, %Error{status: :closed}} = State.get(session, "n")
    assert {:error, %Error{status: :closed}} = call(session, :pid)
  end

  test "a platform is closed while its supervisor goes on" do
    name = __MODULE__.Closed
    start_supervised!({SnakepitBridge.Supervisor, name: name, config: %{pools: %{}}})
    session = Sessions.open!(platform: name)
    assert :ok = SnakepitBridge.Supervisor.close(name, 10)
    assert {:error, %Error{status: :closed}} = Sessions.info(session)
    assert {:error, %Error{status: :closed}} = Sessions.open(platform: name)
    assert {:error, %Error{}} = SnakepitBridge.Supervisor.close(__MODULE__.None)
  end

  @tag :capture_log
  test "the application's environment names the default platform" do
    :ok = Application.stop(:snakepit_bridge)
    Application.put_env(:snakepit_bridge, :platform, pools: %{})

    on_exit(fn ->
      Application.stop(:snakepit_bridge)
      Application.delete_env(:snakepit_bridge, :platform)
      {:ok, _} = Application.ensure_all_started(:snakepit_bridge)
    end)

    capture_log(fn -> {:ok, _} = Application.ensure_all_started(:snakepit_bridge) end)
    assert {:ok, session} = Sessions.open()
    assert session.platform == SnakepitBridge
    assert {:ok, %{"live" => true}} = Frameworks.health()
    capture_log(fn -> :ok = Application.stop(:snakepit_bridge) end)
    assert {:error, %Error{status: :unavailable}} = Sessions.open()
  end

  test "two platforms stand in one tree" do
    children = for name <- [__MODULE__.A, __MODULE__.B], do: child(name)
    {:ok, supervisor} = Supervisor.start_link(children, strategy: :one_for_one)
    for name <- [__MODULE__.A, __MODULE__.B], do: assert({:ok, _} = Frameworks.health(name))
    Supervisor.stop(supervisor)
  end

  @tag :capture_log
  test "records of the platform and of Python go to Logger" do
    name = __MODULE__.Logging
    level = Logger.level()
    Logger.configure(level: :info)
    :ok = :logger.add_handler(name, __MODULE__, %{config: %{test: self()}})

    on_exit(fn ->
      :logger.remove_handler(name)
      Logger.configure(level: level)
    end)

    start_supervised!({SnakepitBridge.Supervisor, name: name, config: config(), logs: :info})
    session = Sessions.open!(platform: name)
    id = session.id
    call!(session, :speak, %{text: "good morning"})
    assert_receive {:logged, :info, "stdout: good morning", printed}, 60_000
    assert %{platform: ^name, spb_pool: "default", spb_session: ^id} = printed
    assert_receive {:logged, :warning, "tests.speak: logged good morning", _}, 60_000
  end

  # What :logger calls with each record: as its handler, this module sends them to the test.
  def log(%{level: level, msg: {:string, text}, meta: meta}, %{config: %{test: test}}) do
    send(test, {:logged, level, IO.chardata_to_string(text), meta})
  end

  def log(_event, _handler), do: :ok

  defp child(name), do: {SnakepitBridge.Supervisor, name: name, config: %{pools: %{}}}

  defp delete(key), do: System.delete_env(key)
end
