defmodule SnakepitBridge.StormTest do
  # Ten thousand processes call at once and are killed at random; workers are killed under a host
  # that runs programs of its own. Nothing is lost, nothing is left.
  use SnakepitBridge.BridgeCase, async: false

  @callers 10_000
  # What a platform may have more of at one moment than at another, whoever calls.
  @slack 20

  setup_all do
    platform(__MODULE__, config(2, %{queue_max: 2 * @callers, breaker: %{failures_max: 0}}))
  end

  test "every caller that lives has its own result, and nothing is left of the others" do
    session = session(__MODULE__)
    Tools.register!(session, "double", fn %{"n" => n} -> 2 * n end, max_in_flight: @callers)
    call!(session, :echo, %{value: 0})
    before = figures()
    test = self()

    callers =
      for n <- 1..@callers do
        {n, spawn(fn -> send(test, {:result, n, one_call(session, n)}) end)}
      end

    :rand.seed(:exsss, {1, 2, 3})
    {killed, living} = Enum.split_with(callers, fn _ -> :rand.uniform(5) == 1 end)
    for {_n, pid} <- killed, do: Process.exit(pid, :kill)

    for {n, _pid} <- living do
      assert_receive {:result, ^n, {:ok, got}}, 60_000
      assert got == expected(n)
    end

    settled(__MODULE__)
    for {_n, pid} <- killed, do: refute(Process.alive?(pid))

    eventually("what there is comes back to #{inspect(before)}", fn -> calm?(before) end)
    {:ok, info} = Sessions.info(session)
    assert info["operations_running"] == 0
  end

  test "a host with ports goes on while workers are killed" do
    session = session(__MODULE__)
    cat = Port.open({:spawn_executable, "/bin/cat"}, [:binary])

    for round <- 1..4 do
      victim = call!(session, :pid)
      System.cmd("kill", ["-9", to_string(victim)])

      assert {_, 7} = System.cmd("sh", ["-c", "exit 7"])
      assert {"#{round}\n", 0} == System.cmd("echo", [to_string(round)])
      Port.command(cat, "round #{round}")
      assert_receive {^cat, {:data, data}}, 60_000
      assert data == "round #{round}"
      eventually("a worker answers", fn -> match?({:ok, _}, call(session, :pid)) end)
    end

    assert :os.cmd('echo still here') == 'still here\n'
    Port.close(cat)
  end

  # Every eighth goes through Python to a tool of this host.
  defp one_call(session, n) when rem(n, 8) == 0 do
    call(session, :call_tool, %{name: "double", arguments: %{n: n}})
  end

  defp one_call(session, n), do: call(session, :echo_inline, %{value: n})

  defp expected(n) when rem(n, 8) == 0, do: 2 * n
  defp expected(n), do: n

  defp figures do
    %{
      processes: :erlang.system_info(:process_count),
      ports: :erlang.system_info(:port_count),
      descriptors: length(File.ls!("/proc/self/fd"))
    }
  end

  defp calm?(before) do
    Enum.all?(figures(), fn {what, count} -> count <= before[what] + @slack end)
  end
end
