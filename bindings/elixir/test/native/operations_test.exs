defmodule SnakepitBridge.Native.OperationsTest do
  # Operations: exactly one end each, cancelled with their process, and never a scheduler held up.
  use SnakepitBridge.NativeCase

  setup do
    {:ok, session: session()}
  end

  @sleep %{framework: "python", operation: "sleep_until_cancelled", timeout: 60_000}
  @storm_ms 60_000
  @echo %{framework: "python", operation: "echo_inline", timeout: 60_000}

  test "an operation answers once, and says where it is", %{session: session} do
    ref = make_ref()
    assert {:ok, operation} = Native.execute(session, @echo, value(%{value: "é"}), self(), ref)
    assert {:done, {:ok, {:term, "é"}}} = next(ref)
    assert Native.operation_state(operation) == {:ok, :done}
    assert Native.operation_cancel(operation) == :ok
    refute_receive {:snakepit_bridge, ^ref, _}, 20
  end

  test "a large result is left to a dirty scheduler", %{session: session} do
    text = String.duplicate("long ", 20_000)
    parameters = value(%{value: %{text: text, data: %Blob{data: text}}})

    assert {:done, {:ok, {:large, result}}} =
             done(&Native.execute(session, @echo, parameters, &1, &2))

    assert Native.value_decode(result) == {:ok, %{"text" => text, "data" => %Blob{data: text}}}
  end

  test "failures have their status, and the exception behind them", %{session: session} do
    assert {:error, %Error{status: :not_found}} =
             Native.execute(session, %{@echo | operation: "nope"}, nil, self(), make_ref())

    assert {:error, %Error{} = error} = call(session, "fail", %{message: "given"})
    assert error.status == :python_exception
    assert error.python_type == "builtins.ValueError"
    assert error.python_traceback =~ "ValueError: given"
    assert Exception.message(error) =~ "given"
    refute error.retryable
  end

  test "faulty options are named", %{session: session} do
    for {options, name} <- [
          {%{}, "framework"},
          {%{@echo | timeout: -1}, "timeout"},
          {%{@echo | framework: 1}, "framework"},
          {Map.put(@echo, :affinity, :glue), "affinity"},
          {Map.put(@echo, :parent, 3), "parent"},
          {Map.put(@echo, :pool, <<255>>), "pool"}
        ] do
      assert {:error, %Error{status: :invalid_argument, message: message}} =
               Native.execute(session, options, nil, self(), make_ref())

      assert message =~ name
    end

    assert {:error, %Error{}} = Native.execute(session, [], nil, self(), make_ref())
    assert_raise ArgumentError, fn -> Native.execute(make_ref(), @echo, nil, self(), make_ref()) end
  end

  test "a cancelled operation ends so", %{session: session} do
    ref = make_ref()
    {:ok, operation} = Native.execute(session, @sleep, nil, self(), ref)
    eventually(fn -> Native.operation_state(operation) == {:ok, :running} end)
    assert Native.operation_cancel(operation) == :ok
    assert {:done, {:error, %Error{status: :cancelled}}} = next(ref)
    assert call(session, "saw_cancel", %{}) == {:ok, true}
  end

  test "operations are cancelled when their process dies", %{session: session} do
    {pid, operation} =
      teller(fn ->
        {:ok, operation} = Native.execute(session, @sleep, nil, self(), make_ref())
        operation
      end)

    eventually(fn -> Native.operation_state(operation) == {:ok, :running} end)
    kill(pid)
    eventually(fn -> Native.operation_state(operation) == {:ok, :done} end)
    assert call(session, "saw_cancel", %{}) == {:ok, true}
  end

  test "an operation for a dead process is cancelled at once", %{session: session} do
    dead = spawn(fn -> :ok end)
    kill(dead)
    {:ok, operation} = Native.execute(session, @sleep, nil, dead, make_ref())
    eventually(fn -> Native.operation_state(operation) == {:ok, :done} end)
  end

  test "operations of which nobody keeps the reference go on", %{session: session} do
    refs =
      for number <- 1..50 do
        ref = make_ref()
        {:ok, _} = Native.execute(session, @echo, value(%{value: number}), self(), ref)
        ref
      end

    :erlang.garbage_collect()
    assert for(ref <- refs, do: next(ref)) == for(n <- 1..50, do: {:done, {:ok, {:term, n}}})
  end

  test "ten thousand at once end, and hold no scheduler up", %{session: session} do
    watcher = spawn_link(fn -> watch_schedulers([]) end)
    :erlang.system_monitor(watcher, long_schedule: 1)
    # The monitor adds up whatever kept a process from a break for a millisecond, the operating
    # system, too. So a process that only counts is watched beside the same work.
    submitter = storm(session)
    assert_receive {:ended, ^submitter, median_us}, @storm_ms
    assert median_us < 1_000
    counter = spawn_link(fn -> count(0) end)
    beside = storm(session)
    assert_receive {:ended, ^beside, _}, @storm_ms
    kill_linked(counter)
    :erlang.system_monitor(:undefined)

    send(watcher, {:tell, self()})
    assert_receive {:late, late}
    [of_nifs, of_counting] = for pid <- [submitter, counter], do: Map.get(late, pid, 0)
    # Calls that took a millisecond would make ten thousand of them. What is allowed beside them is
    # what a busy machine takes from a process.
    assert of_nifs <= 3_000 + 3 * of_counting
  end

  test "shutdown ends every operation, and then submissions are refused" do
    platform = open_platform(%{})
    {:ok, session} = Native.session_open(platform, %{})

    refs =
      for _ <- 1..20 do
        ref = make_ref()
        {:ok, _} = Native.execute(session, @sleep, nil, self(), ref)
        ref
      end

    assert {:done, {:ok, {:term, nil}}} = done(&Native.platform_shutdown(platform, 1, &1, &2))

    for ref <- refs do
      assert {:done, {:error, %Error{status: status}}} = next(ref)
      assert status in [:cancelled, :closed, :unavailable]
    end

    assert {:error, %Error{status: :closed}} =
             Native.execute(session, @echo, value(%{value: 1}), self(), make_ref())

    assert {:ok, %{"live" => false}} = Native.platform_health(platform)
  end

  test "a platform that nobody keeps is closed with its workers" do
    {pid, worker} =
      teller(fn ->
        platform = open_platform(%{})
        {:ok, session} = Native.session_open(platform, %{})
        {:ok, worker} = call(session, "pid", %{})
        worker
      end)

    assert File.exists?("/proc/#{worker}")
    kill(pid)
    eventually(fn -> not File.exists?("/proc/#{worker}") end)
  end

  # A process that submits all before it takes any answer.
  defp storm(session) do
    {parent, parameters} = {self(), value(%{value: 1})}

    spawn_link(fn ->
      calls = for _ <- 1..10_000, do: :timer.tc(fn -> submit(session, parameters) end)
      for {_, ref} <- calls, do: {:done, {:ok, {:term, 1}}} = next(ref)
      median_us = calls |> Enum.map(&elem(&1, 0)) |> Enum.sort() |> Enum.at(5_000)
      send(parent, {:ended, self(), median_us})
    end)
  end

  defp submit(session, parameters) do
    ref = make_ref()
    {:ok, _} = Native.execute(session, @echo, parameters, self(), ref)
    ref
  end

  defp count(number), do: count(rem(number + 1, 1_000))

  defp kill_linked(pid) do
    Process.unlink(pid)
    kill(pid)
  end

  # Milliseconds without a break, by process.
  defp add({pid, ms}, sums), do: Map.update(sums, pid, ms, &(&1 + ms))

  defp watch_schedulers(late) do
    receive do
      {:monitor, pid, :long_schedule, info} -> watch_schedulers([{pid, info[:timeout]} | late])
      {:tell, to} -> send(to, {:late, Enum.reduce(late, %{}, &add/2)})
    end
  end
end
