defmodule SnakepitBridge.TelemetryTest do
  # Events: which there are, what they carry, and that a broken handler harms nobody.
  use SnakepitBridge.BridgeCase, async: false

  import ExUnit.CaptureLog

  alias SnakepitBridge.Telemetry

  defmodule Teller do
    # Sends each event to the test.
    @behaviour Telemetry

    @impl true
    def handle_event(event, measurements, metadata) do
      send(:persistent_term.get(__MODULE__), {event, measurements, metadata})
    end
  end

  defmodule Broken do
    # Raises.
    @behaviour Telemetry

    @impl true
    def handle_event(_event, _measurements, _metadata), do: raise("out of order")
  end

  setup_all do
    platform(__MODULE__)
  end

  setup do
    :persistent_term.put(Teller, self())
    Telemetry.attach(Teller)

    on_exit(fn ->
      Telemetry.detach(Teller)
      :persistent_term.erase(Teller)
    end)
  end

  test "calls, tools and sessions are told of" do
    session = Sessions.open!(platform: __MODULE__)
    id = session.id
    assert_receive {[:snakepit_bridge, :session, :open], %{system_time: _}, %{session: ^id}}
    Tools.register!(session, "good", fn _ -> 1 end)
    Tools.register!(session, "bad", fn _ -> {:error, "no"} end)

    call!(session, :echo, %{value: "hidden"})
    assert_receive {[:snakepit_bridge, :call, :start], %{system_time: _}, started}
    assert %{kind: :execute, framework: "python", operation: "echo", session: ^id} = started

    assert_receive {[:snakepit_bridge, :call, :stop], %{duration: duration}, %{status: :ok} = ended}

    assert duration > 0
    refute inspect({started, ended}) =~ "hidden"

    {:error, _} = call(session, :fail, %{message: "x"})
    assert_receive {[:snakepit_bridge, :call, :exception], %{duration: _}, failed}
    assert %{status: :python_exception, error: %Error{}, operation: "fail"} = failed

    Tools.call(session, "good")
    assert_receive {[:snakepit_bridge, :tool, :start], _, %{tool: "good"}}
    assert_receive {[:snakepit_bridge, :tool, :stop], _, %{tool: "good", status: :ok}}
    Tools.call(session, "bad")
    assert_receive {[:snakepit_bridge, :tool, :exception], _, %{tool: "bad", error: error}}
    assert error.message == "no"

    session |> Frameworks.stream(:python, :count, %{to: 9}) |> Enum.take(1)
    assert_receive {[:snakepit_bridge, :call, :exception], _, %{operation: "count"} = left}
    assert left.status == :cancelled

    Sessions.close!(session)
    assert_receive {[:snakepit_bridge, :session, :close], _, %{session: ^id}}
  end

  test "a handler that fails is taken off, and the call goes on" do
    session = session(__MODULE__)
    Telemetry.attach(Broken)
    log = capture_log(fn -> assert call!(session, :echo, %{value: 1}) == 1 end)
    assert log =~ "out of order"
    assert capture_log(fn -> assert call!(session, :echo, %{value: 2}) == 2 end) == ""
  end
end
