defmodule SnakepitBridge.FrameworksTest do
  # Calls of Python with a real worker: results, failures, cancels, streams.
  use SnakepitBridge.BridgeCase, async: false

  alias SnakepitBridge.{Blob, Operation, Tensor}

  setup_all do
    platform(__MODULE__, config(1, %{restart: %{backoff_min_ms: 0}}))
  end

  setup do
    %{session: session(__MODULE__)}
  end

  test "values go there and back", %{session: session} do
    tensor = %Tensor{dtype: :int16, shape: {2, 2}, data: <<1, 0, 2, 0, 3, 0, 4, 0>>}

    for value <-
          [nil, true, 5, 5.0, -9.5e300, 18_446_744_073_709_551_615, "ü", [], %{}] ++
            [[1, %{"a" => [nil]}], %{"$spb" => %{"x" => 1}}, %Blob{data: <<0, 1>>}, tensor] do
      assert call!(session, :echo, %{value: value}) == value
    end

    assert call!(session, "echo", value: :monday) == "monday"
    large = Enum.to_list(1..50_000)
    assert call!(session, :echo, %{value: large}) == large

    assert call!(session, :kinds, %{value: %{a: [1, 1.5, "x", nil, true]}}) ==
             %{"a" => ["int", "float", "str", "NoneType", "bool"]}
  end

  test "what Python raises is a typed error with its traceback", %{session: session} do
    assert {:error, %Error{status: :python_exception} = error} =
             call(session, :fail, %{message: "no such port"})

    assert error.python_type == "builtins.ValueError"
    assert error.python_traceback =~ "KeyError"
    assert error.message =~ "no such port"
    assert Exception.message(error) =~ "no such port"

    assert_raise Error, ~r/no such port/, fn ->
      Frameworks.execute!(session, :python, :fail, %{message: "no such port"})
    end
  end

  test "what is wrong with a call is said before it is made", %{session: session} do
    assert {:error, %Error{status: :not_found}} = call(session, :ecko, %{value: 1})

    assert {:error, %Error{status: :not_found}} =
             Frameworks.execute(session, :pyton, :echo, %{value: 1})

    assert {:error, %Error{status: :invalid_argument}} = call(session, :count, %{to: "x"})
    assert {:error, %Error{status: :not_found}} = call(session, :pid, %{}, pool: :other)
    assert {:error, %Error{message: message}} = call(session, :echo, %{value: [1, {2}]})
    assert message =~ "$.value[1]"
    assert_raise ArgumentError, fn -> call(session, :pid, %{}, pol: "x") end
    assert_raise ArgumentError, ~r/timeout/, fn -> call(session, :pid, %{}, timeout: -5) end
  end

  test "a worker's exit code is its own, and another one serves", %{session: session} do
    first = call!(session, :pid)
    assert {:error, %Error{status: :worker_lost} = error} = call(session, :leave, %{code: 7})
    assert error.details["exit"] == "exited with code 7"

    assert {:error, %Error{status: :worker_lost} = error} = call(session, :die, %{signal_number: 9})

    assert error.details["exit"] =~ "SIGKILL"
    assert call!(session, :pid) != first
    for code <- [0, 3, 7], do: assert(call!(session, :run_shell, %{code: code}) == code)
  end

  test "a call ends at its deadline", %{session: session} do
    assert {:error, %Error{status: :deadline}} =
             call(session, :sleep_until_cancelled, %{}, timeout: 100)

    assert call!(session, :saw_cancel)
    assert call!(session, :remaining, %{}, timeout: 30_000) <= 30
  end

  test "an operation is awaited, asked for, cancelled", %{session: session} do
    operations = for n <- 1..50, do: Frameworks.async(session, :python, :echo, %{value: n})
    assert Enum.map(operations, &Frameworks.await/1) == for(n <- 1..50, do: {:ok, n})

    operation = Frameworks.async(session, :python, :sleep_until_cancelled)
    assert Frameworks.yield(operation, 0) == nil
    assert :ok = Frameworks.cancel(operation)
    assert {:error, %Error{status: :cancelled}} = Frameworks.await(operation, 60_000)
    assert call!(session, :saw_cancel)

    operation = Frameworks.async(session, :python, :sleep_until_cancelled)
    assert {:error, %Error{status: :deadline}} = Frameworks.await(operation, 50)
    assert call!(session, :saw_cancel)
    assert Process.info(self(), :message_queue_len) == {:message_queue_len, 0}
  end

  test "an operation's end is one message, also of one that was refused", %{session: session} do
    operation = %Operation{ref: ref} = Frameworks.async(session, :python, :echo, %{value: 1})
    assert_receive {:snakepit_bridge, ^ref, {:done, _}} = message, 60_000
    assert Frameworks.outcome(operation, message) == {:ok, 1}
    assert Frameworks.outcome(operation, :other) == nil

    operation = Frameworks.async(session, :python, :nothing)
    assert {:error, %Error{status: :not_found}} = Frameworks.await(operation)

    operation = Task.await(Task.async(fn -> Frameworks.async(session, :python, :pid) end))
    assert_raise ArgumentError, ~r/only that process/, fn -> Frameworks.await(operation) end
  end

  test "a call ends with its caller", %{session: session} do
    caller = spawn(fn -> call(session, :sleep_until_cancelled) end)

    eventually("the call runs", fn -> metric(__MODULE__, "spb_operations_running") == 1.0 end)
    Process.exit(caller, :kill)
    assert call!(session, :saw_cancel)
    settled(__MODULE__)
  end

  test "a stream gives chunks and then the result", %{session: session} do
    events = session |> Frameworks.stream(:python, :count, %{to: 1000}) |> Enum.to_list()
    assert events == for(n <- 0..999, do: {:chunk, n}) ++ [{:result, %{"counted" => 1000}}]
    assert Process.info(self(), :message_queue_len) == {:message_queue_len, 0}

    assert [{:chunk, 0}, {:error, %Error{status: :python_exception}}] =
             session
             |> Frameworks.stream(:python, :count, %{to: 1, pause_s: -1})
             |> Enum.to_list()

    assert [{:error, %Error{status: :not_found}}] =
             session |> Frameworks.stream(:python, :nothing) |> Enum.to_list()

    assert_raise Error, fn ->
      session |> Frameworks.stream!(:python, :fail, %{message: "m"}) |> Stream.run()
    end
  end

  test "a stream that is left early is cancelled", %{session: session} do
    assert [{:chunk, 0}, {:chunk, 1}] =
             session |> Frameworks.stream(:python, :ticks) |> Enum.take(2)

    settled(__MODULE__)
    assert Process.info(self(), :message_queue_len) == {:message_queue_len, 0}
  end

  test "a reader that is slow holds Python back", %{session: session} do
    parameters = %{bytes_each: 64, total: 500}

    taken =
      session
      |> Frameworks.stream(:python, :blocks, parameters, window: 4)
      |> Enum.reduce(0, fn
        {:chunk, %Blob{data: <<number::64-little, _::binary>>}}, taken ->
          assert number == taken
          if rem(taken, 100) == 50, do: assert(call!(session, :produced) <= taken + 8)
          taken + 1

        {:result, %{"sent" => 500}}, taken ->
          taken
      end)

    assert taken == 500
  end

  test "the platform tells about itself" do
    assert :ok = Frameworks.await_ready(__MODULE__, "default", 1, 60_000)
    assert {:ok, %{"operations" => %{"echo" => _}}} = Frameworks.schema(__MODULE__, :python)
    assert {:ok, %{"python" => _}} = Frameworks.schema(__MODULE__, "", pool: :default)
    assert {:ok, %{"format" => 1}} = Frameworks.describe(__MODULE__)
    assert {:ok, %{"live" => true}} = Frameworks.health(__MODULE__)
    assert {:ok, %{} = stats} = Frameworks.pool_stats(__MODULE__)
    assert map_size(stats) > 3
    assert {:error, %Error{status: :not_found}} = Frameworks.pool_stats(__MODULE__, :other)
    assert SnakepitBridge.version() =~ ~r/^\d+\.\d+\.\d+/
    assert SnakepitBridge.config_schema() =~ "close_grace_ms"
  end

  test "a pool is emptied and filled again", %{session: session} do
    assert :ok = Frameworks.drain(__MODULE__, "default", 1_000)
    assert {:error, %Error{status: :unavailable}} = call(session, :pid)
    assert :ok = Frameworks.resize(__MODULE__, "default", 1)
    assert is_integer(call!(session, :pid))
  end
end
