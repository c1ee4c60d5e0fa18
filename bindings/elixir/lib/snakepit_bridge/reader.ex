defmodule SnakepitBridge.Reader do
  # Streams of calls and watches as lazy enumerables: one event is taken when one is asked for.
  # Owns: waiting for events, and giving up when the reader leaves. Must not know: who reads.
  @moduledoc false

  alias SnakepitBridge.{Call, Change, Error, Native, Payload, Telemetry}

  # `{:chunk, term}`, ..., and at last `{:result, term}` or `{:error, error}`.
  @spec events(Call.t()) :: Enumerable.t()
  def events(call) do
    Stream.resource(fn -> open_call(call) end, &next_event/1, &leave/1)
  end

  # Changes of variables; the last one is of kind `:end`. `open` gives the stream for a reference.
  @spec changes((reference() -> {:ok, Native.resource()} | Native.failure())) :: Enumerable.t()
  def changes(open) do
    Stream.resource(fn -> open_with(open, nil) end, &next_change/1, &leave/1)
  end

  defp open_call(call) do
    span = Call.span(call)
    open_with(&Call.open_stream(call, &1), span)
  end

  defp open_with(open, span) do
    ref = make_ref()

    case open.(ref) do
      {:ok, stream} -> %{stream: stream, ref: ref, span: span, failed: nil}
      {:error, error} -> %{stream: nil, ref: ref, span: span, failed: error}
    end
  end

  defp next_event(:ended), do: {:halt, :ended}
  defp next_event(%{stream: nil} = state), do: finish(state, {:error, state.failed})

  defp next_event(state) do
    case take(state) do
      {:chunk, _sequence, payload} -> chunk(state, Payload.decode(payload))
      {:done, outcome} -> finish(state, Payload.outcome(outcome))
      {:error, error} -> finish(state, {:error, error})
    end
  end

  defp chunk(state, {:ok, chunk}), do: {[{:chunk, chunk}], state}

  defp chunk(state, {:error, _} = failure) do
    Native.stream_cancel(state.stream)
    finish(state, failure)
  end

  defp finish(state, outcome) do
    case Telemetry.stop(state.span, outcome) do
      {:ok, result} -> {[{:result, result}], :ended}
      {:error, error} -> {[{:error, error}], :ended}
    end
  end

  defp next_change(:ended), do: {:halt, :ended}
  defp next_change(%{stream: nil} = state), do: end_of_changes(state.failed)

  defp next_change(state) do
    case take(state) do
      {:variable, _version, payload} -> change(state, Payload.decode(payload))
      {:missed, count, _payload} -> {[%Change{kind: :missed, missed: count}], state}
      {:end, error} -> end_of_changes(error)
      {:error, error} -> end_of_changes(error)
    end
  end

  defp change(state, {:ok, document}), do: {List.wrap(Change.from_document(document)), state}

  defp change(state, {:error, error}) do
    Native.stream_cancel(state.stream)
    end_of_changes(error)
  end

  defp end_of_changes(error), do: {[%Change{kind: :end, error: error}], :ended}

  # One event, as soon as there is one. The end of a stream is an event too, and comes whatever
  # happens, so this needs no time-out of its own.
  defp take(%{stream: stream, ref: ref} = state) do
    case Native.stream_next(stream, 1) do
      [event] ->
        event

      :wait ->
        receive do
          {:snakepit_bridge, ^ref, :readable} -> take(state)
        end

      {:error, error} ->
        {:error, error}
    end
  end

  # The reader has left, or has had the end.
  defp leave(:ended), do: :ok
  defp leave(%{stream: nil}), do: :ok

  defp leave(%{stream: stream, span: span}) do
    Native.stream_cancel(stream)
    left = %Error{status: :cancelled, message: "the reader left the stream"}
    Telemetry.stop(span, {:error, left})
    :ok
  end
end
