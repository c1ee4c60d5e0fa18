defmodule SnakepitBridge.ToolsTest do
  # Tools of this host: how they answer, fail, stream, nest, and end. One worker, a real Python.
  use SnakepitBridge.BridgeCase, async: false

  import ExUnit.CaptureLog

  alias SnakepitBridge.Invocation

  setup_all do
    platform(__MODULE__)
  end

  setup do
    %{session: session(__MODULE__)}
  end

  # As a tool: {__MODULE__, :named, ["!"]}.
  def named(%{"text" => text}, mark), do: text <> mark

  test "a function of any form is a tool", %{session: session} do
    Tools.register!(session, "plain", fn %{"n" => n} -> n + 1 end)
    Tools.register!(session, :wrapped, fn %{"n" => n} -> {:ok, [n]} end)
    Tools.register!(session, "named", {__MODULE__, :named, ["!"]})
    Tools.register!(session, "nothing", fn _ -> :ok end)
    test = self()

    Tools.register!(session, "told", fn _, %Invocation{} = invocation ->
      send(test, invocation)
      invocation.session
    end)

    assert through_python(session, "plain", %{n: 1}) == {:ok, 2}
    assert through_python(session, "wrapped", %{n: 1}) == {:ok, [1]}
    assert through_python(session, "named", %{text: "hey"}) == {:ok, "hey!"}
    assert through_python(session, "nothing", %{}) == {:ok, nil}
    assert Tools.call(session, "plain", n: 41) == {:ok, 42}
    assert through_python(session, "told", %{}) == {:ok, session.id}
    assert_receive %Invocation{tool: "told", stream?: false, traceparent: "00-" <> _} = invocation
    assert invocation.platform == __MODULE__
    assert Tools.cancelled?(invocation) in [true, false]

    assert {:ok, rows} = Tools.list(session)
    assert Enum.find(rows, &(&1["name"] == "plain"))["side"] == "host"
  end

  test "schemas are kept on both ends", %{session: session} do
    Tools.register!(session, "typed", fn %{"n" => n} -> n end,
      description: "Gives it back.",
      input_schema: %{type: "object", properties: %{n: %{type: "integer"}}},
      output_schema: %{type: "integer", maximum: 10}
    )

    assert Tools.call(session, "typed", %{n: 3}) == {:ok, 3}

    assert {:error, %Error{status: :invalid_argument, details: %{"path" => "$.n"}}} =
             Tools.call(session, "typed", %{n: "x"})

    assert {:error, %Error{message: message}} = Tools.call(session, "typed", %{n: 11})
    assert message =~ "11"

    assert {:error, %Error{status: :invalid_argument}} =
             Tools.register(session, "bad", fn _ -> 1 end, input_schema: %{type: 5})

    assert {:error, %Error{status: :already_exists}} =
             Tools.register(session, "typed", fn _ -> 1 end)

    assert_raise ArgumentError, fn -> Tools.register(session, "bad", fn -> 1 end) end
    assert_raise ArgumentError, fn -> Tools.register(session, "bad", & &1, owner: :me) end

    for options <- [[description: 5], [max_in_flight: -1], [idempotent: "yes"]] do
      assert {:error, %Error{status: :invalid_argument}} =
               Tools.register(session, "bad", fn _ -> 1 end, options)
    end
  end

  test "every way to fail is a failure of that call alone", %{session: session} do
    fails = %{
      "text" => fn _ -> {:error, "no such port"} end,
      "atom" => fn _ -> {:error, :closed_today} end,
      "exception" => fn _ -> {:error, %RuntimeError{message: "made"}} end,
      "typed" => fn _ ->
        {:error, status: :not_found, message: "gone", details: %{"port" => "X"}, retryable: true}
      end,
      "error" => fn _ ->
        {:error, %Error{status: :busy, message: "later", details: %{"a" => 1}}}
      end,
      "raise" => fn _ -> raise ArgumentError, "not this one" end,
      "raise_error" => fn _ -> raise %Error{status: :busy, message: "raised"} end,
      "arith" => fn %{"n" => n} -> 1 / n end,
      "throw" => fn _ -> throw({:secret, "hunter2"}) end,
      "exit" => fn _ -> exit({:noproc, {GenServer, :call, ["hunter2"]}}) end,
      "no_value" => fn _ -> self() end
    }

    for {name, function} <- fails, do: Tools.register!(session, name, function)

    log =
      capture_log(fn ->
        assert %Error{status: :tool_failed, message: "no such port"} = failure(session, "text")
        assert %Error{status: :tool_failed, message: "closed_today"} = failure(session, "atom")
        assert %Error{message: "made", details: details} = failure(session, "exception")
        assert details["type"] == "RuntimeError"
        typed = failure(session, "typed")
        assert %Error{status: :not_found, message: "gone", retryable: true} = typed
        assert typed.details["port"] == "X"
        assert %Error{status: :busy, message: "later"} = failure(session, "error")
        assert %Error{message: "not this one", details: details} = failure(session, "raise")
        assert %{"kind" => "raise", "type" => "ArgumentError"} = details
        assert %Error{status: :busy, message: "raised"} = failure(session, "raise_error")
        assert %Error{status: :tool_failed, details: details} = failure(session, "arith", %{n: 0})
        assert details["type"] == "ArithmeticError"
        assert %Error{details: %{"kind" => "throw"}} = thrown = failure(session, "throw")
        assert thrown.message == "the tool threw :secret"
        assert %Error{details: %{"kind" => "exit"}} = exited = failure(session, "exit")
        assert exited.message == "the tool exited: :noproc"
        refute inspect({thrown, exited}) =~ "hunter2"
        assert %Error{message: message} = failure(session, "no_value")
        assert message =~ "pid"

        # Python sees the same, and goes on.
        assert {:error, %Error{message: message}} = through_python(session, "raise", %{})
        assert message =~ "not this one"
      end)

    assert log =~ "not this one"
    assert through_python(session, "no_value", %{}) |> elem(0) == :error
    assert call!(session, :echo, %{value: 1}) == 1
  end

  test "a tool whose process is killed fails its call at once", %{session: session} do
    Tools.register!(session, "killed", fn _ -> Process.exit(self(), :kill) end)

    Tools.register!(session, "linked", fn _ ->
      spawn_link(fn -> exit(:boom) end)
      Process.sleep(:infinity)
    end)

    for name <- ["killed", "linked"] do
      assert {:error, %Error{status: :tool_failed}} = Tools.call(session, name)
      assert {:error, %Error{}} = through_python(session, name, %{})
    end
  end

  test "a tool that nobody waits for is ended, with what it linked", %{session: session} do
    test = self()

    stuck = fn _ ->
      linked = spawn_link(fn -> Process.sleep(:infinity) end)
      send(test, {:began, self(), linked})
      Process.sleep(:infinity)
    end

    Tools.register!(session, "stuck", stuck)
    Tools.register!(session, "short", stuck, timeout: 50)

    assert {:error, %Error{status: :deadline}} = Tools.call(session, "short")
    assert_ended()

    operation = Tools.async(session, "stuck")
    assert_receive {:began, pid, _linked}, 60_000
    send(self(), {:began, pid, pid})
    Frameworks.cancel(operation)
    assert {:error, %Error{status: :cancelled}} = Frameworks.await(operation)
    assert_ended()

    assert {:error, %Error{status: :deadline}} =
             call(session, :call_tool, %{name: "stuck", arguments: %{}}, timeout: 300)

    assert_ended()
  end

  test "chunks come before the answer, and wait for a slow reader", %{session: session} do
    test = self()

    Tools.register!(session, "many", fn %{"to" => to}, invocation ->
      assert invocation.stream?

      for n <- 1..to do
        :ok = Tools.emit(invocation, n)
        send(test, {:emitted, n})
      end

      "done"
    end)

    assert session |> Tools.stream("many", to: 5) |> Enum.to_list() ==
             [chunk: 1, chunk: 2, chunk: 3, chunk: 4, chunk: 5, result: "done"]

    assert call!(session, :stream_tool, %{name: "many", arguments: %{to: 2000}}) ==
             %{"chunks" => Enum.to_list(1..2000), "result" => "done"}

    flush()

    # 1000 chunks are more than may be ahead: the tool waits until they are taken.
    taken =
      session
      |> Tools.stream("many", %{to: 1000}, window: 8)
      |> Enum.map(fn
        {:chunk, 1} ->
          assert_receive {:emitted, 200}, 60_000
          refute_received {:emitted, 700}
          1

        {_, taken} ->
          taken
      end)

    assert taken == Enum.to_list(1..1000) ++ ["done"]
  end

  test "a chunk nobody asked for is refused", %{session: session} do
    Tools.register!(session, "chatty", fn _, invocation ->
      {:error, %Error{status: status}} = Tools.emit(invocation, 1)
      status
    end)

    assert Tools.call(session, "chatty") == {:ok, "state"}
  end

  test "a tool that is streaming is ended when its reader leaves", %{session: session} do
    test = self()

    Tools.register!(session, "endless", fn _, invocation ->
      send(test, {:began, self(), self()})
      Stream.iterate(1, &(&1 + 1)) |> Enum.each(&Tools.emit!(invocation, &1))
    end)

    assert [chunk: 1] = session |> Tools.stream("endless") |> Enum.take(1)
    assert_ended()
  end

  test "calls nest in the call that a tool answers", %{session: session} do
    # The worker's only place is taken by the caller; nested calls do not need it.
    Tools.register!(session, "deeper", fn %{"n" => n}, invocation ->
      {:ok, same} = Tools.session(invocation)

      if n == 0 do
        call!(same, :trace)
      else
        call!(session, :call_tool, %{name: "deeper", arguments: %{n: n - 1}})
      end
    end)

    assert {:ok, "00-" <> _} = through_python(session, "deeper", %{n: 4})

    # A nested call has no more time than its parent.
    Tools.register!(session, "left", fn _ -> call!(session, :remaining) end)
    assert {:ok, left} = through_python(session, "left", %{}, timeout: 10_000)
    assert left <= 10

    # In another process the parent is named.
    Tools.register!(session, "task", fn _, invocation ->
      parent = fn -> call!(session, :remaining, %{}, parent: invocation) end
      none = fn -> call!(session, :remaining, %{}, parent: nil) end
      [Task.await(Task.async(parent)), none.()]
    end)

    assert {:ok, [bounded, free]} = through_python(session, "task", %{}, timeout: 10_000)
    assert bounded <= 10
    assert free > 30
  end

  test "calls that nest too deep are refused", %{session: session} do
    Tools.register!(session, "again", fn _ ->
      Frameworks.execute!(session, :python, :call_tool, %{name: "again", arguments: %{}})
    end)

    assert {:error, %Error{}} = through_python(session, "again", %{})
    assert call!(session, :echo, %{value: 1}) == 1
  end

  test "a tool goes with its owner, and its calls fail", %{session: session} do
    test = self()

    owner =
      spawn(fn ->
        Tools.register!(__MODULE__, "owned", fn _ ->
          send(test, {:began, self(), self()})
          Process.sleep(:infinity)
        end)

        send(test, :registered)
        Process.sleep(:infinity)
      end)

    assert_receive :registered, 60_000
    operation = Tools.async(session, "owned")
    python = Frameworks.async(session, :python, :call_tool, %{name: "owned", arguments: %{}})
    assert_receive {:began, first, _}, 60_000
    assert_receive {:began, second, _}, 60_000
    Process.exit(owner, :kill)
    assert {:error, %Error{}} = Frameworks.await(operation, 60_000)
    assert {:error, %Error{}} = Frameworks.await(python, 60_000)
    for pid <- [first, second], do: eventually("it is ended", fn -> not Process.alive?(pid) end)

    eventually("the tool is gone", fn ->
      match?({:error, %Error{status: :not_found}}, Tools.call(session, "owned"))
    end)
  end

  test "a tool is taken away, and its name is free again", %{session: session} do
    {:ok, tool} = Tools.register(session, "once", fn _ -> 1 end)
    assert Tools.call(session, "once") == {:ok, 1}
    assert :ok = Tools.unregister(tool)
    assert {:error, %Error{status: :not_found}} = Tools.call(session, "once")
    assert :ok = Tools.unregister(tool)
    Tools.register!(session, "once", fn _ -> 2 end)
    assert Tools.call(session, "once") == {:ok, 2}
  end

  test "tools of sessions that have ended are forgotten" do
    {:ok, server} = SnakepitBridge.Platform.whereis(__MODULE__, :tools)

    for _ <- 1..200 do
      Sessions.with_session([platform: __MODULE__], fn session ->
        Tools.register!(session, "passing", fn _ -> 1 end)
      end)
    end

    # The sweep begins with 64 of them and is repeated when their number has doubled.
    eventually("most are gone", fn -> map_size(:sys.get_state(server).tools) < 150 end)
  end

  test "many calls at once, in processes of their own", %{session: session} do
    Tools.register!(session, "pid", fn %{"n" => n} -> [n, inspect(self())] end, max_in_flight: 1000)

    operations = for n <- 1..300, do: {n, Tools.async(session, "pid", %{n: n})}

    pids =
      for {n, operation} <- operations do
        {:ok, [^n, pid]} = Frameworks.await(operation, 60_000)
        pid
      end

    assert length(Enum.uniq(pids)) == 300
    {:ok, server} = SnakepitBridge.Platform.whereis(__MODULE__, :tools)
    eventually("no call is remembered", fn -> :sys.get_state(server).calls == %{} end)
  end

  test "calls beyond what a tool takes are refused", %{session: session} do
    test = self()

    Tools.register!(
      session,
      "single",
      fn _ ->
        send(test, {:began, self(), self()})

        receive do
          :go -> "went"
        end
      end,
      max_in_flight: 1
    )

    first = Tools.async(session, "single")
    assert_receive {:began, pid, _}, 60_000
    assert {:error, %Error{status: :resource_exhausted}} = Tools.call(session, "single")
    send(pid, :go)
    assert Frameworks.await(first) == {:ok, "went"}
  end

  defp through_python(session, name, arguments, options \\ []) do
    call(session, :call_tool, %{name: name, arguments: arguments}, options)
  end

  defp failure(session, name, arguments \\ %{}) do
    {:error, error} = Tools.call(session, name, arguments)
    error
  end

  defp assert_ended do
    assert_receive {:began, pid, linked}, 60_000
    for each <- [pid, linked], do: eventually("it is ended", fn -> not Process.alive?(each) end)
  end

  defp flush do
    receive do
      _ -> flush()
    after
      0 -> :ok
    end
  end
end
